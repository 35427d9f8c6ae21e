"""Notes for the student: few, first what may cost points, in Jupyter's numbers, and nothing on what was handed out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autograder.records import Exercise, Limits, Submission, Task
from autograder.submission.reader import read_submission

SETUP = "import torch\n\nprint(torch.__version__)"
STUB = "def f(x):\n    raise NotImplementedError\n\nprint(f)"
SHOW = "plot(f)\n\nfor i in range(3):\n    print(i)"
HANDED_OUT = (SETUP, STUB, SHOW)


def write(path: Path, *sources: str, **about: Any) -> Path:
    """A notebook of these code cells; "text: …" is a raw cell."""
    cells = [
        {
            "cell_type": "raw" if source.startswith("text: ") else "code",
            "source": source.removeprefix("text: "),
            **about,
        }
        for source in sources
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}), encoding="utf-8")
    return path


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    write(tmp_path / "lab" / "lab.ipynb", *HANDED_OUT)
    return Exercise("lab", {}, (Task("1.1", {}, ("f", "g"), 1.0, {}),), Limits(), tmp_path / "lab")


def notes(exercise: Exercise, tmp_path: Path, *sources: str) -> tuple[str, ...]:
    found: Submission = read_submission(write(tmp_path / "in" / "lab.ipynb", *sources), exercise, "ann")
    assert found.problem == ""
    return found.notes


def test_cells_that_were_handed_out_are_not_spoken_of(exercise: Exercise, tmp_path: Path) -> None:
    """Whatever line ends and blank lines a platform gave them."""
    mine = "def f(x): return x"
    assert notes(exercise, tmp_path, SETUP, mine, SHOW) == ()
    assert notes(exercise, tmp_path, f"\n{SETUP}\n", mine, SHOW.replace("\n", "\r\n")) == ()


def test_what_is_not_run_is_said_in_jupyters_numbers(exercise: Exercise, tmp_path: Path) -> None:
    """Blank cells and text cells have no number; a cell that was handed out keeps its own."""
    said = notes(
        exercise, tmp_path, "", SETUP, "text: a", "def f(x): return x\nplot(1)\n\nplot(2)", SHOW, " \n", "plot(3)"
    )
    assert said == ("Not run, since no graded function depends on it: cell 2, lines 2, 4; cell 4, line 1.",)


def test_of_a_script_the_handed_out_lines_are_not_spoken_of(exercise: Exercise, tmp_path: Path) -> None:
    path = tmp_path / "lab.py"
    path.write_text(f"# In[1]:\n\n{SETUP}\n\n# ## Title\n\n{SHOW}\ndef f(x): return x\nplot(4)\n")
    assert read_submission(path, exercise, "ann").notes == (
        "Not run, since no graded function depends on it: line 14.",
    )


def test_what_may_cost_points_comes_first(exercise: Exercise, tmp_path: Path) -> None:
    said = notes(
        exercise,
        tmp_path,
        "x = (",
        "plot(1)",
        "%%sh\nls",
        "import package_of_nobody as p",
        "def f(x): return p",
        "def h(:",
        "def g(x): return h(x)",
    )
    assert [note.partition(",")[0].partition(";")[0].partition(" (")[0] for note in said] == [
        "package_of_nobody isn't available to the grader",
        "Cell 6 does not parse",
        "Cell 1 does not parse",
        "Cell 3 begins with %%sh",
        "Not run",
    ]


def test_there_are_at_most_eight(exercise: Exercise, tmp_path: Path) -> None:
    broken = [f"def h{number}(:" for number in range(12)]
    said = notes(exercise, tmp_path, *broken, "def f(x): return h11(x)", "plot(1)")
    assert len(said) == 8
    assert said[0].startswith("Cell 12 does not parse")
    assert said[-1] == "… and 6 more remarks."


def test_an_answer_above_the_stub_is_spoken_of(exercise: Exercise, tmp_path: Path) -> None:
    mine = "def f(x): return x"
    assert notes(exercise, tmp_path, SETUP, mine, STUB, SHOW) == (
        "Cell 2 defines f, but cell 3, as it was handed out, defines it again: the last definition counts.",
    )
    assert notes(exercise, tmp_path, SETUP, STUB, mine, SHOW) == ()


def test_an_answer_in_a_cell_of_text_is_spoken_of(exercise: Exercise, tmp_path: Path) -> None:
    assert notes(exercise, tmp_path, "text: def f(x):\n    return x") == (
        "lab.ipynb holds no code.",
        "A text cell defines f, and no code cell does: make it a code cell.",
    )
    assert notes(exercise, tmp_path, "text: def f(x): return 1", "def f(x): return 2") == ()
