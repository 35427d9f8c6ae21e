"""Of several files for one exercise the one that its student has changed counts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autograder.grading.choice import choose_notebook
from autograder.records import Exercise, Limits, Task

GOOD = "def f():\n    return 1\n"


def write(path: Path, *sources: str) -> Path:
    """A notebook of these code cells."""
    code = [{"cell_type": "code", "source": source} for source in sources]
    path.write_text(json.dumps({"nbformat": 4, "cells": code}), encoding="utf-8")
    return path


@pytest.fixture
def handed_out(tmp_path: Path) -> Exercise:
    folder = tmp_path / "exercise"
    folder.mkdir()
    for name in ("lab.ipynb", "lab.zh-TW.ipynb"):
        write(folder / name, "def f():\n    raise NotImplementedError\n", "check('1.1')")
    return Exercise("01_first", {}, (Task("1.1", {}, ("f",), 1.0, {}),), Limits(), folder)


def copies(lab: Exercise, folder: Path) -> list[Path]:
    folder.mkdir()
    return [Path(shutil.copy(path, folder)) for path in sorted(lab.folder.glob("*.ipynb"))]


@pytest.mark.parametrize("changed", [0, 1])
def test_the_notebook_that_differs_from_the_stub_counts(handed_out: Exercise, tmp_path: Path, changed: int) -> None:
    paths = copies(handed_out, tmp_path / "ann")
    write(paths[changed], GOOD)
    assert choose_notebook(paths, handed_out) == paths[changed]


def test_of_two_untouched_notebooks_and_of_two_equal_ones_the_first_counts(
    handed_out: Exercise, tmp_path: Path
) -> None:
    paths = copies(handed_out, tmp_path / "ann")
    assert choose_notebook(paths, handed_out) == paths[0]
    for path in paths:
        write(path, GOOD, "  ")
    assert choose_notebook(paths, handed_out) == paths[0]


def test_of_two_changed_notebooks_none_counts(handed_out: Exercise, tmp_path: Path) -> None:
    paths = copies(handed_out, tmp_path / "ann")
    write(paths[0], GOOD)
    paths[1].write_text("damaged")
    assert choose_notebook(paths, handed_out) == (
        "Expected one file that differs from what was handed out, but ann/lab.ipynb and ann/lab.zh-TW.ipynb do; "
        "keep the one that counts."
    )
