"""A notebook that a newer Python made: the bounded child reads it, a parser that knows both Pythons is asked beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from autograder.records import Exercise, Limits, Task
from autograder.sandbox import reading
from autograder.submission.reader import read_submission, submission_of

LAB = Exercise("lab", {}, (Task("1.1", {}, ("f", "g"), 1.0, {}),), Limits(), Path("nowhere"))
NEW = "def f[T](x: T) -> T:\n    return x\n\ndef g(): return 1"
needs_old = pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python takes the syntax itself")


def notebook(path: Path, version: str, *sources: str) -> Path:
    cells = [{"cell_type": "code", "source": source} for source in sources]
    metadata = {"language_info": {"name": "python", "version": version}}
    path.write_text(json.dumps({"nbformat": 4, "metadata": metadata, "cells": cells}), encoding="utf-8")
    return path


@needs_old
def test_what_only_a_newer_python_takes_is_told_by_name(tmp_path: Path) -> None:
    """The rest of its cell is graded; at home it reads the same."""
    path = notebook(tmp_path / "a.ipynb", "3.13.1", "import os", NEW)
    found = submission_of(reading.read(path, LAB), "ann", "lab")
    assert found.needs_python == {"f": ("3.12", "cell 2, line 1")}
    assert "def g" in found.source
    assert found.notes == ("Cell 2 needs Python 3.12 (line 1): what it defines is not graded.",)
    assert found == read_submission(path, LAB, "ann")


@needs_old
def test_what_no_python_takes_is_a_mistake(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "3.13.1", f"{NEW}\nx = (")
    record = reading.read(path, LAB)
    assert record.code is not None
    assert (record.code.needs_python, "def g" in record.code.source) == ({}, False)
    assert record.code.notes[0].startswith("Cell 1 does not parse")


@needs_old
def test_a_notebook_of_this_python_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(reading, "version_needed", ask)
    assert reading.read(notebook(tmp_path / "a.ipynb", "3.11.1", NEW), LAB).fault == ""


@needs_old
def test_only_so_many_pieces_are_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(reading, "version_needed", lambda piece, claimed: asked.append(piece) or "")
    path = notebook(tmp_path / "a.ipynb", "3.13.1", *(f"def f{number}[T](): pass" for number in range(40)))
    assert reading.read(path, LAB).fault == ""
    assert len(asked) == 20


def test_helpers_and_late_annotations_are_in_the_record(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "a.ipynb",
        "3.14.0",
        "%%writefile tool.py\nimport nobodys_package",
        "import tool\ndef f(): return tool",
    )
    found = submission_of(reading.read(path, LAB), "ann", "lab")
    assert found.helpers == {"tool.py": "import nobodys_package\n"}
    assert found.late_annotations
    assert found.absent == dict.fromkeys(("nobodys_package", "f"), ("nobodys_package", "cell 1, line 2"))


def test_more_helpers_than_anybody_writes_are_refused(tmp_path: Path) -> None:
    cells = [f"%%writefile tool_{number}.py\nx = 1" for number in range(21)]
    imports = "\n".join(f"import tool_{number}" for number in range(21))
    used = ", ".join(f"tool_{number}" for number in range(21))
    record = reading.read(notebook(tmp_path / "a.ipynb", "", *cells, f"{imports}\ndef f(): return {used}"), LAB)
    assert record.problem == "a.ipynb is too long once it is cut down to what is graded; remove what no task needs."
