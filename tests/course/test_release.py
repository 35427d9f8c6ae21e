"""One source gives two notebooks, a zip without secrets, and new exercises that are valid at once."""

import ast
import io
import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from safetensors.torch import load
from support import ROOT

from autograder.course import notebooks, sources
from autograder.course import release as releasing
from autograder.course.catalog import load_exercise
from autograder.records import PtqlabError

SLUGS = sorted(path.parent.name for path in ROOT.glob("solutions/*/source.py"))
WHEEL = f"ptqlab-{version('ptqlab')}-py3-none-any.whl"

SOURCE = '''\
# %% [markdown] lang="en"
# # Double
# it

# %% [markdown] lang="zh-TW"
# # 加倍
#
# 把數字
# 乘以二，用 Python
# 寫。
#
# - 一個
#   項目

# %% [markdown]
# $y = 2x$

# %%
### BEGIN SOLUTION
def _factor_of_the_answer():
    return 1 + 1


### END SOLUTION
def largest_magnitude(tensor):
    """Twice."""
    ### BEGIN SOLUTION
    doubled = tensor * _factor_of_the_answer()  # a remark
    return doubled
    ### END SOLUTION


class Keeper:
    def keep(self, x):
        ### BEGIN SOLUTION
        self.kept = sorted(x, reverse=True)
        ### END SOLUTION

# %%
print("done")

# %%
print("done")
'''


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A small course: one exercise of its own, with SOURCE as its source and fresh notebooks."""
    releasing.new("07_double", "Double", tmp_path / "exercises", tmp_path / "solutions")
    (tmp_path / "solutions/07_double/source.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/numbers.txt").write_text("1 2 3", encoding="utf-8")
    notebooks.build(tmp_path / "exercises", tmp_path / "solutions")
    return tmp_path


def build(course: Path, check: bool = False) -> list[str]:
    changed = notebooks.build(course / "exercises", course / "solutions", check=check)
    return [path.name for path in changed]


def release(course: Path, name: str = "course.zip") -> Path:
    releasing.release(course / name, course / "exercises", course / "solutions")
    return course / name


def notebook(course: Path, language: str = "en") -> dict:
    name = "07_double.ipynb" if language == "en" else f"07_double.{language}.ipynb"
    return json.loads((course / "exercises/07_double" / name).read_text(encoding="utf-8"))


def texts(notebook: dict, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


# --- notebooks ----------------------------------------------------------------------------------


def test_each_notebook_shows_its_own_language_and_the_text_for_both(course: Path) -> None:
    assert texts(notebook(course), "markdown") == ["# Double\nit", "$y = 2x$"]
    assert [text[:4] for text in texts(notebook(course, "zh-TW"), "markdown")] == ["# 加倍", "$y ="]


def test_a_line_break_within_chinese_disappears_and_one_beside_latin_stays(course: Path) -> None:
    chinese = texts(notebook(course, "zh-TW"), "markdown")[0]
    assert chinese == "# 加倍\n\n把數字乘以二，用 Python\n寫。\n\n- 一個項目"


def test_both_notebooks_hold_the_same_code_under_the_same_ids(course: Path) -> None:
    english, chinese = notebook(course)["cells"], notebook(course, "zh-TW")["cells"]
    code = [cell for cell in english if cell["cell_type"] == "code"]
    assert len(code) == 3
    assert code == [cell for cell in chinese if cell["cell_type"] == "code"]


def test_notebooks_carry_no_outputs_no_counts_and_distinct_stable_ids(course: Path) -> None:
    cells = notebook(course)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [(c["outputs"], c["execution_count"], c["metadata"]) for c in code] == [([], None, {})] * 3
    ids = [cell["id"] for cell in cells]
    assert ids[2] == "task-7-1"
    assert len(set(ids)) == len(ids), "two equal cells need two ids"
    source = course / "solutions/07_double/source.py"
    source.write_text('# %%\nprint("a new first cell")\n\n' + SOURCE, encoding="utf-8")
    build(course)
    assert [cell["id"] for cell in notebook(course)["cells"]][1:] == ids, "a new cell renames no other"


def test_building_twice_gives_the_same_bytes(course: Path) -> None:
    before = {path: path.read_bytes() for path in course.rglob("*.ipynb")}
    assert build(course) == []
    for path in before:
        path.unlink()
    assert build(course) == ["07_double.ipynb", "07_double.zh-TW.ipynb"]
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_source_makes_both_notebooks_stale_and_check_writes_nothing(course: Path) -> None:
    source = course / "solutions/07_double/source.py"
    source.write_text(SOURCE.replace("Twice.", "Two times."), encoding="utf-8")
    before = {path: path.read_bytes() for path in course.rglob("*.ipynb")}
    with pytest.raises(PtqlabError) as error:
        build(course, check=True)
    both = "exercises/07_double/07_double.ipynb, exercises/07_double/07_double.zh-TW.ipynb"
    assert str(error.value) == f"{both} are stale. Run `ptqlab build`."
    assert {path: path.read_bytes() for path in before} == before


def test_a_notebook_that_is_missing_or_edited_by_hand_is_stale(course: Path) -> None:
    english = course / "exercises/07_double/07_double.ipynb"
    english.write_text(english.read_text(encoding="utf-8").replace("Twice.", "Thrice."), encoding="utf-8")
    with pytest.raises(PtqlabError, match=r"07_double\.ipynb is stale\. Run `ptqlab build`\."):
        build(course, check=True)
    english.unlink()
    with pytest.raises(PtqlabError, match=r"07_double\.ipynb is stale"):
        build(course, check=True)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_committed_notebooks_are_fresh(slug: str) -> None:
    source = ROOT / "solutions" / slug / "source.py"
    for path, text in notebooks.notebooks(source, ROOT / "exercises" / slug).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run `ptqlab build`"


# --- the source ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        '# %% [markdown] lang="en"\n# one\n\n# %%\nx = 1\n',
        '# %% [markdown] lang="zh-TW"\n# 一\n\n# %% [markdown] lang="en"\n# one\n',
        '# %% [markdown] lang="en"\n# one\n\n# %% [markdown] lang="en"\n# two\n',
        '# %%\nx = 1\n\n# %% [markdown] lang="en"\n# one\n',
        '# %% [markdown] lang="fr"\n# un\n\n# %%\nx = 1\n',
    ],
    ids=["no twin", "Chinese first", "English twice", "no twin at the end", "a language nobody reads"],
)
def test_a_text_without_its_twin_is_refused(tmp_path: Path, cells: str) -> None:
    source = tmp_path / "source.py"
    source.write_text(cells, encoding="utf-8")
    with pytest.raises(PtqlabError, match=r"expected a markdown cell with lang=.* before its zh-TW twin"):
        sources.read_cells(source)


def test_the_reference_module_holds_the_answers_and_the_stub_module_none(course: Path) -> None:
    source = course / "solutions/07_double/source.py"
    reference: dict = {}
    exec(sources.reference_source(source), reference)
    assert reference["largest_magnitude"](21) == 42
    stubs: dict = {}
    exec(sources.stub_source(source, {"largest_magnitude": "7.1"}), stubs)
    assert "_factor_of_the_answer" not in stubs
    with pytest.raises(NotImplementedError) as error:
        stubs["largest_magnitude"](21)
    assert str(error.value).startswith("largest_magnitude is not written yet")
    assert str(error.value).endswith('write it in task 7.1, then run check("7.1")')
    with pytest.raises(NotImplementedError, match=r"^Keeper\.keep is not written yet$"):
        stubs["Keeper"]().keep([])


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    ### BEGIN SOLUTION\n    return 1\n",
        "def f():\n    return 1\n    ### END SOLUTION\n",
        "def f():\n    ### BEGIN SOLUTION\n    ### BEGIN SOLUTION\n    pass" + "\n    ### END SOLUTION" * 2,
    ],
)
def test_unpaired_markers_are_refused(code: str) -> None:
    with pytest.raises(PtqlabError, match="unpaired '### BEGIN SOLUTION' and '### END SOLUTION'"):
        sources.stub(code, {})


@pytest.mark.parametrize("marker", ["## BEGIN SOLUTION", "### begin solution", "### BEGIN-SOLUTION"])
def test_a_misspelt_marker_is_refused_since_the_answer_would_ship(marker: str) -> None:
    with pytest.raises(PtqlabError, match="misspelt"):
        sources.stub(f"def f():\n    {marker}\n    return 1\n", {})


# --- secrets ------------------------------------------------------------------------------------


def test_every_telling_line_of_an_answer_is_a_secret_and_nothing_else(course: Path) -> None:
    assert sources.solution_statements(course / "solutions/07_double/source.py") == {
        "def_factor_of_the_answer():",
        "doubled=tensor*_factor_of_the_answer()",
        "self.kept=sorted(x,reverse=True)",
    }


def test_a_leak_is_found_whatever_its_blanks() -> None:
    secrets = frozenset({"doubled=tensor*_factor_of_the_answer()"})
    assert sources.leaks("x = 1\n   doubled  =  tensor *\n _factor_of_the_answer( )", secrets) == [*secrets]
    assert sources.leaks("doubled = tensor * 2", secrets) == []


@pytest.mark.parametrize("slug", SLUGS)
def test_no_statement_of_an_answer_stands_under_exercises(slug: str) -> None:
    secrets = sources.solution_statements(ROOT / "solutions" / slug / "source.py")
    assert secrets, "this test would prove nothing"
    readable = {".ipynb", ".py", ".toml", ".md"}
    shown = [path for path in (ROOT / "exercises").rglob("*") if path.suffix in readable]
    assert len(shown) >= 4
    for path in shown:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        assert sources.leaks(text, secrets) == [], path.name
        assert "SOLUTION" not in text, path.name


# --- the students' zip --------------------------------------------------------------------------


def test_the_release_holds_exercises_data_and_a_start_and_nothing_of_the_solutions(course: Path) -> None:
    (course / "exercises/07_double/__pycache__").mkdir()
    (course / "exercises/07_double/__pycache__/test_public.pyc").write_bytes(b"x")
    (course / "exercises/07_double/experiments.jsonl").write_text("{}")
    with zipfile.ZipFile(release(course)) as archive:
        names = archive.namelist()
    assert names == [
        "ptqlab-course/START.md",
        "ptqlab-course/datasets/numbers.txt",
        "ptqlab-course/exercises/07_double/07_double.ipynb",
        "ptqlab-course/exercises/07_double/07_double.zh-TW.ipynb",
        "ptqlab-course/exercises/07_double/exercise.toml",
        "ptqlab-course/exercises/07_double/test_public.py",
        f"ptqlab-course/{WHEEL}",
    ]


def test_the_release_is_the_same_bytes_twice(course: Path) -> None:
    first = release(course, "one.zip")
    with zipfile.ZipFile(first) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}, "no clock is in it"
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    for path in [path for path in course.rglob("*") if path.is_file()]:
        path.chmod(0o600)
    assert release(course, "two.zip").read_bytes() == first.read_bytes()


def test_the_kit_comes_along_and_the_start_installs_it(course: Path) -> None:
    """From any clone, with nothing built before: the kit is on no package index."""
    with zipfile.ZipFile(release(course)) as archive:
        start = archive.read("ptqlab-course/START.md").decode()
        inner = zipfile.ZipFile(io.BytesIO(archive.read(f"ptqlab-course/{WHEEL}"))).namelist()
    assert f'pip install "./{WHEEL}[lab]"' in start
    assert "$" not in start, "every blank is filled in"
    assert "autograder/lab/__init__.py" in inner
    assert not [name for name in inner if name.startswith("autograder/bundled/")], "the course lies in the zip itself"


def test_a_release_as_a_wheel_holds_the_course_and_nothing_of_the_solutions(course: Path) -> None:
    releasing.release(course / WHEEL, course / "exercises", course / "solutions")
    names = zipfile.ZipFile(course / WHEEL).namelist()
    inside = "autograder/bundled/exercises/07_double"
    assert {f"{inside}/{name}" for name in ("07_double.ipynb", "exercise.toml", "test_public.py")} <= set(names)
    assert "autograder/bundled/datasets/numbers.txt" in names
    kit = [name for name in names if not name.startswith("autograder/course/scaffold/")]  # templates of `ptqlab new`
    assert not [name for name in kit if "solution" in name or "hidden" in name]


def test_a_wheel_under_a_name_that_pip_refuses_is_not_written(course: Path) -> None:
    with pytest.raises(PtqlabError, match=f"to be called {WHEEL}.* but it is kit.whl; rename it"):
        release(course, "kit.whl")
    assert not (course / "kit.whl").exists()


def test_a_release_with_a_line_of_an_answer_is_refused_and_not_written(course: Path) -> None:
    hint = course / "exercises/07_double/notes.md"
    hint.write_text("Try `doubled = tensor * _factor_of_the_answer()`.", encoding="utf-8")
    with pytest.raises(PtqlabError, match=r"notes\.md holds a line of a reference answer"):
        release(course)
    assert not (course / "course.zip").exists()


def test_a_notebook_whose_text_gives_an_answer_away_is_refused(course: Path) -> None:
    told = SOURCE.replace("# # Double\n", "# # Double\n# Write `doubled = tensor * _factor_of_the_answer()`.\n")
    (course / "solutions/07_double/source.py").write_text(told, encoding="utf-8")
    build(course)
    with pytest.raises(PtqlabError, match=r"07_double\.ipynb holds a line of a reference answer"):
        release(course)


def test_a_wheel_with_a_line_of_an_answer_is_refused(course: Path) -> None:
    (course / "exercises/07_double/notes.md").write_text("doubled = tensor * _factor_of_the_answer()", encoding="utf-8")
    with pytest.raises(PtqlabError, match=r"whl/autograder/bundled/exercises/07_double/notes\.md holds a line"):
        release(course, WHEEL)
    assert not (course / WHEEL).exists()


def test_a_release_with_stale_notebooks_is_refused(course: Path) -> None:
    (course / "solutions/07_double/source.py").write_text(SOURCE.replace("done", "ready"), encoding="utf-8")
    with pytest.raises(PtqlabError, match="stale"):
        release(course)


def test_a_release_follows_no_symbolic_link(course: Path) -> None:
    (course / "exercises/07_double/more.py").symlink_to(course / "solutions/07_double/test_hidden.py")
    with pytest.raises(PtqlabError, match=r"more\.py is a symbolic link"):
        release(course)


def test_the_kit_that_ships_as_a_wheel_holds_no_line_of_an_answer() -> None:
    package = ROOT / "autograder"
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in package.rglob("*.py")}
    releasing._require_no_leak(files, ROOT / "solutions")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Each file of the course's release, those within its wheel, too."""
    path = tmp_path_factory.mktemp("released") / "course.zip"
    releasing.release(path, ROOT / "exercises", ROOT / "solutions")
    files = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            files[name.removeprefix("ptqlab-course/")] = data
            if name.endswith(".whl"):
                wheel = zipfile.ZipFile(io.BytesIO(data))
                files |= {f"wheel/{inner}": wheel.read(inner) for inner in wheel.namelist()}
    return files


def test_the_course_itself_can_be_released(released: dict[str, bytes]) -> None:
    names = set(released)
    assert {f"exercises/{slug}/{slug}.ipynb" for slug in SLUGS} <= names
    assert "datasets/manifest.json" in names
    hidden = {path.name for path in (ROOT / "solutions").rglob("*") if path.is_file()}
    hidden -= {path.name for folder in ("exercises", "datasets") for path in (ROOT / folder).rglob("*")}
    assert "test_hidden.py" in hidden
    assert not hidden & {Path(name).name for name in names}


def said_by(tests: Path) -> set[str]:
    """Names of a file's tests, and every sentence in it: claims and messages, blanks as one."""
    nodes = [*ast.walk(ast.parse(tests.read_text(encoding="utf-8")))]
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return names | {" ".join(text.split()) for text in texts if len(text) >= 20 and " " in text}


@pytest.fixture(scope="module")
def shown(released: dict[str, bytes]) -> tuple[str, frozenset[str]]:
    """(all that can be read in the release, blanks as one; every name of a test in it)."""
    data = {name: data for name, data in released.items() if not name.endswith((".safetensors", ".whl"))}
    text = " ".join(" ".join(text.split()) for _, text in releasing._texts(data))
    return text, frozenset(re.findall(r"\btest_\w+", text))


@pytest.mark.parametrize("slug", SLUGS)
def test_no_name_claim_or_message_of_a_hidden_test_ships(slug: str, shown: tuple[str, frozenset[str]]) -> None:
    """What a public test says itself, in its own file, is published; the rest of a hidden file stands nowhere."""
    published = set().union(*(said_by(path) for path in ROOT.glob("exercises/*/test_public.py")))
    said = " ".join(published)
    kept_back = {words for words in said_by(ROOT / "solutions" / slug / "test_hidden.py") if words not in said}
    assert len(kept_back) > 10, "this test would prove nothing"
    assert [words for words in kept_back if words in shown[1] or (" " in words and words in shown[0])] == []


def test_what_is_held_back_and_its_secret_stand_nowhere_in_the_release(released: dict[str, bytes]) -> None:
    """Neither the secret, nor a held-back row or weight, nor a figure or fingerprint of the held-back files ships."""
    secret = (ROOT / "solutions/secret.txt").read_text(encoding="ascii").strip()
    manifest = json.loads((ROOT / "solutions/held_back/manifest.json").read_text(encoding="utf-8"))
    kept_back = [secret.encode(), bytes.fromhex(secret), b"held_back_perplexity", b"held_back_accuracy"]
    public = json.loads(released["datasets/manifest.json"])
    kept_back += [v["sha256"].encode() for k, v in manifest.items() if v["sha256"] != public[k]["sha256"]]
    for path in (ROOT / "solutions/held_back").rglob("*.safetensors"):
        tensors = load(path.read_bytes())
        kept_back += [row.numpy().tobytes() for row in tensors.get("input_ids", ())[::100]]
        kept_back += [tensors[name].numpy().tobytes() for name in sorted(tensors) if name.endswith("proj.weight")]
    assert len(kept_back) > 20
    everything = b"".join(released[name] for name in sorted(released) if not name.endswith(".whl"))
    assert [words[:16] for words in kept_back if words in everything] == []


# --- a new exercise -----------------------------------------------------------------------------


def test_a_new_exercise_is_valid_at_once_and_says_what_is_missing(tmp_path: Path) -> None:
    exercises, solutions = tmp_path / "exercises", tmp_path / "solutions"
    written = releasing.new("06_pruning", 'Cutting "weights"', exercises, solutions)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(written), "nothing global changes"
    exercise = load_exercise(exercises / "06_pruning", solutions)
    assert exercise.title["en"] == 'Cutting "weights"'
    assert [task.id for task in exercise.tasks] == ["6.1"]
    assert notebooks.build(exercises, solutions, check=True) == []
    missing = {line.split(":")[0] for line in releasing.unfinished(exercises, solutions)}
    assert missing == {
        "exercises/06_pruning/exercise.toml",
        "exercises/06_pruning/test_public.py",
        "solutions/06_pruning/design.md",
        "solutions/06_pruning/source.py",
        "solutions/06_pruning/test_hidden.py",
    }


def test_the_scaffold_leaves_no_placeholder_behind(tmp_path: Path) -> None:
    for path in releasing.new("06_pruning", "Pruning", tmp_path / "exercises", tmp_path / "solutions"):
        text = path.read_text(encoding="utf-8") + path.name
        assert not re.search(r"\$(slug|title|heading|task)|\.in$", text), path


@pytest.mark.parametrize("slug", ["pruning", "6_pruning", "06-pruning", "06_Pruning", "../06_pruning", "06_"])
def test_a_bad_slug_is_refused(tmp_path: Path, slug: str) -> None:
    with pytest.raises(PtqlabError, match="expected a slug of two digits and a name"):
        releasing.new(slug, "Pruning", tmp_path / "exercises", tmp_path / "solutions")
    assert list(tmp_path.iterdir()) == []


def test_a_slug_that_is_taken_in_either_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "solutions/06_pruning").mkdir(parents=True)
    with pytest.raises(PtqlabError, match="06_pruning is there already"):
        releasing.new("06_pruning", "Pruning", tmp_path / "exercises", tmp_path / "solutions")
    assert not (tmp_path / "exercises").exists()


def test_no_exercise_of_the_course_is_unfinished() -> None:
    assert releasing.unfinished(ROOT / "exercises", ROOT / "solutions") == []


def test_reading_a_source_does_not_compile_the_grammar_of_web_addresses() -> None:
    """It costs two CPU seconds in every grading process; whoever wants it later still gets it."""
    program = (
        "import sys; from pathlib import Path; from autograder.course.sources import read_cells; read_cells(Path(sys.argv[1]));"
        "found = 'rfc3987_syntax' in sys.modules; import jsonschema; print(found, 'jupytext' in sys.modules)"
    )
    source = ROOT / "solutions" / "01_basic_quantization" / "source.py"
    done = subprocess.run([sys.executable, "-P", "-c", program, source], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
