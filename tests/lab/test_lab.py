"""`check` as a notebook calls it: in the notebook's language, with words instead of errors, wherever it is opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from support.rubrics import rubric_toml

from autograder import lab
from autograder.course.catalog import load_exercise
from autograder.lab import checking
from autograder.lab.checking import check_namespace
from autograder.report.table import CheckResult

LAB = ROOT / "exercises" / "01_basic_quantization"
WRONG = """
import torch

def symmetric_quantization(tensor, bits=8):
    scale = tensor.abs().max() / 128
    return torch.round(tensor / scale), scale
"""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[CheckResult]:
    """What `check` would have displayed, in the lab's folder as a notebook's kernel is."""
    found: list[CheckResult] = []
    monkeypatch.chdir(LAB)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("PTQLAB_LANGUAGE", raising=False)
    monkeypatch.setattr(checking, "_show", found.append)
    return found


def run(code: str, **namespace: Any) -> None:
    """A cell's code, in a notebook that has `namespace` defined."""
    exec(code, {"check": lab.check, **namespace})


@pytest.mark.parametrize(
    ("session", "variable", "language"),
    [
        ("", None, "en"),
        ("/home/ann/ptq/01_basic_quantization.zh-TW.ipynb", None, "zh-TW"),  # JupyterLab, and VS Code since 2025
        ("", "/home/ann/ptq/01_basic_quantization.zh-TW.ipynb", "zh-TW"),  # VS Code
        ("", "/home/ann/ptq/01_basic_quantization.ipynb", "en"),
    ],
)
def test_a_check_speaks_the_language_of_the_notebook(
    shown: list[CheckResult], monkeypatch: pytest.MonkeyPatch, session: str, variable: str | None, language: str
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    run('check("1.1")', **({"__vsc_ipynb_file__": variable} if variable else {}))
    assert shown[0].language == language


def test_a_function_that_is_not_defined_yet_is_said_to_be_missing_not_an_error(shown: list[CheckResult]) -> None:
    run('check("1.1")')
    assert "Not written yet" in str(shown[0])
    assert not re.search("Error|Traceback", str(shown[0]))


def test_an_empty_notebook_and_an_unknown_task_are_one_sentence(
    shown: list[CheckResult], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run('check("9.9")')
    monkeypatch.chdir(LAB.parent)
    run("check()")
    assert shown == []
    first, second = capsys.readouterr().out.splitlines()
    assert "there is none called '9.9'" in first
    assert "name a task, as in check('1.1')" in second


def test_check_alone_is_the_whole_lab_with_the_points_so_far(shown: list[CheckResult]) -> None:
    run(f"{WRONG}\nassert check() is None")
    assert len(shown[0].tasks) == 8
    assert "Points so far, from the public tests: 0 / 25" in str(shown[0])


def test_an_item_without_a_public_test_is_not_checked_here_and_withholds_nothing(tmp_path: Path) -> None:
    """What passes pays its points; what can't be looked at here is said, in the table and in the total."""
    folder = tmp_path / "exercises" / "09_toy"
    folder.mkdir(parents=True)
    text = '{ en = "Double", "zh-TW" = "加倍" }'
    (folder / "exercise.toml").write_text(
        f'[exercise]\ntitle = {text}\n[[task]]\nid = "9.1"\nfunctions = ["double"]\npoints = 5\ntitle = {text}\n'
        f"hint = {text}\n{rubric_toml(values=60, state=20, memory=20)}",
        encoding="utf-8",
    )
    (folder / "test_public.py").write_text(
        'import pytest\n\n@pytest.mark.task("9.1", item="values")\ndef test_it(student):\n    assert student.double(2) == 4\n'
        '\n@pytest.mark.task("9.1", item="state")\ndef test_again(student):\n    assert student.double(2) == 4\n'
    )
    result = check_namespace(load_exercise(folder), {"double": lambda x: 2 * x})
    assert (result.earned, result.unchecked, result.passed) == (4, 1, True)
    assert "memory 0 / 1, not checked here" in str(result)
    assert "4 / 5 (1 of them are not checked here)" in str(result)


def test_a_failed_check_raises_only_where_nbgrader_validates(
    shown: list[CheckResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(f'{WRONG}\ncheck("1.1")')
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    with pytest.raises(AssertionError, match="the largest level is 127"):
        run(f'{WRONG}\ncheck("1.1")')


def test_the_table_needs_nothing_of_the_program_that_shows_it() -> None:
    """VS Code shows HTML in a frame of its own, without JupyterLab's variables, and trusts no script.

    So: no script, no handler, nothing fetched, no variable of a theme, every colour the frame's own or with its background.
    """
    namespace: dict[str, Any] = {}
    exec(WRONG, namespace)
    bundle = check_namespace(load_exercise(LAB), namespace)._repr_mimebundle_()
    html = bundle["text/html"]
    assert bundle.keys() == {"text/html", "text/plain"}
    assert not re.search(
        r"<(script|link|img|iframe|object|form|svg)|\bon\w+=|\b(src|href)=|@import|url\(|var\(--", html
    )
    assert not re.search(r"https?:|javascript:|data:", html)
    style = html.partition("<style>")[2].partition("</style>")[0]
    for rule in style.split("}")[:-1]:
        colour = re.search(r"(?<!-)\bcolor: ([^;]+)", rule)
        assert colour is None or colour[1] == "inherit" or ".chip" in rule, rule
    assert "✗ Failed" in bundle["text/plain"]
    assert not re.search(r"<\w+|&\w+;|\x1b", bundle["text/plain"].replace("float32[", ""))
