"""The notebooks as students meet them: stubs that say what to do, and text that the answers bear out."""

import ast
import json
import os
import re
from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from support import ROOT

from autograder import lab
from autograder.course import notebooks, sources
from autograder.course.catalog import load_exercise
from autograder.lab.datasets import load_layer
from autograder.submission.loading import load_module
from autograder.submission.reader import read_submission

SLUGS = sorted(path.parent.name for path in ROOT.glob("solutions/*/source.py"))
LANGUAGES = ("en", "zh-TW")
LONG = ("04_advanced_ptq",)  # runs for more than a minute


def source_of(slug: str) -> Path:
    return ROOT / "solutions" / slug / "source.py"


def committed(slug: str, language: str = "en") -> nbformat.NotebookNode:
    name = f"{slug}.ipynb" if language == "en" else f"{slug}.{language}.ipynb"
    return nbformat.read(ROOT / "exercises" / slug / name, as_version=4)


def text_of(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code_of(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


# --- as they are handed out ---------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_the_notebooks_are_valid_and_differ_only_in_their_text(slug: str) -> None:
    english, chinese = (committed(slug, language) for language in LANGUAGES)
    for notebook in (english, chinese):
        nbformat.validate(notebook)
    assert code_of(english) == code_of(chinese)
    kinds = [[cell.cell_type for cell in notebook.cells] for notebook in (english, chinese)]
    assert kinds[0] == kinds[1], "each text has its twin at the same place"
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in text_of(chinese))
    assert not [text for text in text_of(english) if re.search(r"[\u4e00-\u9fff]", text)]


@pytest.mark.parametrize("slug", SLUGS)
def test_what_a_translation_must_not_change_stands_in_both_languages(slug: str) -> None:
    """Headings' levels, display formulas, rows of tables, list items, links, code and the numbers of tasks."""
    lines = (r"^#+ ", r"^## (?:Task|任務) ([\d.]+)", r"^\|", r"^(?:- |\d\. )", r"^\[\w+\]: .*")
    parts = (*lines, r"\$\$.+?\$\$", r"`[^`]+`")
    words = re.compile(r"```.*?```|\\text\{[^}]*\}", re.S)  # drawings, and words in formulas
    for pair in zip(text_of(committed(slug)), text_of(committed(slug, "zh-TW")), strict=True):
        english, chinese = (words.sub("", text) for text in pair)
        for part in parts:
            found = [sorted(set(re.findall(part, text, re.M | re.S))) for text in (english, chinese)]
            assert found[0] == found[1], f"{part} differs in the cell that starts {english[:50]!r}"
            counts = [len(re.findall(part, text, re.M | re.S)) for text in (english, chinese)]
            assert part.startswith("`") or counts[0] == counts[1], f"{part} in the cell that starts {english[:50]!r}"


def definitions(code: list[str]) -> dict:
    """What the definitions of a notebook define, none of its experiments run."""
    wanted = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    kept = [node for node in ast.parse("\n\n".join(code)).body if isinstance(node, wanted)]
    module: dict = {"__name__": "notebook"}
    exec(compile(ast.Module(kept, []), "notebook", "exec"), module)
    return module


@pytest.mark.parametrize("slug", SLUGS)
def test_every_stub_raises_and_names_the_check_to_run(slug: str) -> None:
    exercise = load_exercise(ROOT / "exercises" / slug)
    stubs = read_submission(ROOT / "exercises" / slug / f"{slug}.ipynb", exercise, "stub")
    module = vars(load_module(stubs.source, "stub").module)
    for task in exercise.tasks:
        for name in task.functions:
            stub = module[name]
            own = [key for key in vars(stub) if key[0] != "_"] if isinstance(stub, type) else []
            methods = [method for key in own if callable(method := getattr(stub, key))]
            for function in (stub, *methods):
                needed = [p for p in signature(function).parameters.values() if p.default is p.empty]
                with pytest.raises(NotImplementedError) as error:
                    function(*[None] * len(needed))
                assert str(error.value).startswith(function.__qualname__), "it names what is missing"
                assert f'check("{task.id}")' in str(error.value)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_graded_name_has_a_docstring_and_every_task_a_check_cell(slug: str) -> None:
    exercise = load_exercise(ROOT / "exercises" / slug)
    code = code_of(committed(slug))
    tree = ast.parse("\n\n".join(code))
    documented = {node.name for node in tree.body if hasattr(node, "name") and ast.get_docstring(node)}
    assert set(exercise.functions) <= documented
    checks = [text for text in code if text.startswith("check(")]
    assert checks == [f'check("{task.id}")' for task in exercise.tasks]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_kit_offers_all_that_the_notebook_imports(slug: str) -> None:
    tree = ast.parse("\n\n".join(code_of(committed(slug))))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    wanted = {alias.name for node in imports if node.module == "autograder.lab" for alias in node.names}
    assert "check" in wanted
    assert wanted <= set(lab.__all__)


# --- with the answers in ------------------------------------------------------------------------


Execute = Callable[[str, str], nbformat.NotebookNode]


def one_of_all(slug: str, language: str = "en") -> pytest.MarkDecorator:
    """Have a landing draw one notebook, and run the tests that look at it; a long one is left to the proof."""
    if slug in LONG:
        return pytest.mark.proof
    return pytest.mark.sampled("notebooks", 1, f"{slug} {language}")


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Execute:
    """Run a reference notebook top to bottom in a folder of its own, once."""

    @cache
    def run(slug: str, language: str) -> nbformat.NotebookNode:
        notebook = nbformat.reads(notebooks.reference_notebook(source_of(slug), language), as_version=4)
        settings = {**os.environ, "PTQLAB_COURSE": str(ROOT), "PTQLAB_DATASETS": str(ROOT / "datasets")}
        settings |= {"PTQLAB_LANGUAGE": language, "OMP_NUM_THREADS": "1"}
        folder = str(tmp_path_factory.mktemp(f"{slug}-{language}"))
        client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": folder}})
        return client.execute(env=settings)  # raises at the first cell that does

    return run


@pytest.mark.parametrize(
    "slug, language", [pytest.param(slug, lang, marks=one_of_all(slug, lang)) for slug in SLUGS for lang in LANGUAGES]
)
def test_the_reference_notebook_runs_and_passes_each_of_its_checks(slug, language, execute) -> None:
    exercise = load_exercise(ROOT / "exercises" / slug)
    cells = [cell for cell in execute(slug, language).cells if cell.source.startswith("check(")]
    assert len(cells) == len(exercise.tasks)
    for cell, task in zip(cells, exercise.tasks, strict=True):
        shown = cell.outputs[0].data["text/plain"]
        assert shown.startswith(f"{task.id} {task.title[language]}"), shown
        assert set(re.findall(r"^ *([✓✗○!]) ", shown, re.MULTILINE)) == {"✓"}, shown


@pytest.mark.parametrize("slug", [pytest.param(slug, marks=one_of_all(slug)) for slug in SLUGS])
def test_no_cell_of_the_reference_notebook_warns(slug, execute) -> None:
    outputs = [o for cell in execute(slug, "en").cells for o in cell.get("outputs", [])]
    assert [o.text for o in outputs if o.get("name") == "stderr"] == []


@one_of_all("01_basic_quantization")
def test_the_first_notebook_shows_what_its_text_claims(execute) -> None:
    """The figures that the text names, read from the outputs of the cells."""
    cells = execute("01_basic_quantization", "en").cells
    printed = "\n".join(o.text for cell in cells for o in cell.get("outputs", []) if o.output_type == "stream")
    for claim in ("26.95 GB", "13.48 GB", "6.74 GB", "3.47 GB", "4.00x smaller", "7.76x smaller"):
        assert claim in printed
    share = re.search(r"levels -1, 0 and 1: (\d+)%", printed)
    assert 88 <= int(share[1]) <= 92, "nine tenths"
    symmetric, asymmetric = (float(error) for error in re.findall(r"mean \|error\| ([\d.]+)", printed))
    assert 1.8 < symmetric / asymmetric < 2.2, "twice as large"
    logged = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [line["experiment"] for line in logged] == ["sweep"] * 3


@one_of_all("01_basic_quantization")
def test_the_first_notebook_draws_five_figures(execute) -> None:
    outputs = [o for cell in execute("01_basic_quantization", "en").cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 5, "each is shown once"


def test_the_sweep_says_what_the_text_says() -> None:
    """6 dB a bit, per channel worth a bit, groups of 128 two more dB and groups of 32 four, KL in the same order."""
    source = sources.reference_source(source_of("01_basic_quantization"))
    module = definitions([source])
    module["layer"] = load_layer(datasets=ROOT / "datasets")
    names = ("per tensor", "per channel", "groups of 128", "groups of 32")
    rows = {name: {bits: module["evaluate"](bits, name) for bits in range(2, 9)} for name in names}
    sqnr = {name: torch.tensor([rows[name][bits]["sqnr_db"] for bits in range(4, 9)]) for name in names}
    for name in names:
        assert all(5.5 < gain < 7.5 for gain in sqnr[name].diff()), "six decibels a bit"
    for name, low, high in (("per tensor", -6.8, -5.5), ("groups of 128", 1.8, 2.4), ("groups of 32", 3.8, 4.6)):
        assert all(low < gain < high for gain in sqnr[name] - sqnr["per channel"]), name
    assert abs(sqnr["per channel"][3] - sqnr["per tensor"][4]) < 0.5, "per channel with 7 bits, per tensor with 8"
    for bits in range(2, 9):
        kl = [rows[name][bits]["kl_nats"] for name in names]
        assert kl == sorted(kl, reverse=True)
    assert rows["groups of 128"][4]["compression"] == pytest.approx(32 / 4.125)
