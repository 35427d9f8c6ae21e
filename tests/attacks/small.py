"""A class of two, for what is handed in and not called: an honest neighbour and eve, who has the forms of a submission.

The exercise is as small as one can be, so that a grading costs little; the way there is the one of every class.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.rubrics import rubric_toml

SLUG = "01_small"
PY, IPYNB = f"{SLUG}.py", f"{SLUG}.ipynb"
HONEST = "def double(x):\n    return 2 * x\n\n\ndef halve(x):\n    return x / 3\n"  # half of it right
WRONG = "def double(x):\n    return None\n\n\ndef halve(x):\n    return None\n"
EXERCISE = """[exercise]
title = { en = "Small", "zh-TW" = "小" }
[limits]
call_cpu_s = 1
submission_cpu_s = 4
memory_mb = 600
scratch_mb = 8
reply_mb = 8
""" + "".join(
    f'[[task]]\nid = "1.{number}"\nfunctions = ["{name}"]\npoints = 2\n'
    f'title = {{ en = "{name}", "zh-TW" = "{name}" }}\nhint = {{ en = "Try.", "zh-TW" = "試。" }}\n'
    f"{rubric_toml(values=100)}"
    for number, name in enumerate(("double", "halve"), 1)
)
TESTS = '''import pytest


@pytest.mark.task("1.1", item="values")
def test_PLACE_double(student, rng):
    """double(x) is twice as much."""
    assert student.double(NUMBER) == 2 * NUMBER


@pytest.mark.task("1.2", item="values")
def test_PLACE_halve(student, rng):
    """halve(x) is half of it."""
    assert student.halve(NUMBER) == NUMBER / 2
'''
CHECKS = {
    "test_double": "assert double(4.5) == 9.0",
    "test_halve": "assert halve(4.5) == 2.25",
}  # test cells, as handed out


def make_course(folder: Path) -> None:
    """The course with this one exercise: below `exercises` and `solutions`."""
    exercise, solution = folder / "exercises" / SLUG, folder / "solutions" / SLUG
    exercise.mkdir(parents=True)
    solution.mkdir(parents=True)
    (exercise / "exercise.toml").write_text(EXERCISE, encoding="utf-8")
    (exercise / "test_public.py").write_text(TESTS.replace("PLACE", "public").replace("NUMBER", "1.5"))
    (solution / "test_hidden.py").write_text(TESTS.replace("PLACE", "hidden").replace("NUMBER", "40.25"))
    (solution / "source.py").write_text("# %%\n" + HONEST.replace("/ 3", "/ 2"))


def make_class(base: Path) -> Path:
    """The class's folder, with the honest neighbour's work; returns eve's, which is empty."""
    for student in ("honest", "eve"):
        (base / "class" / student).mkdir(parents=True)
    (base / "class" / "honest" / PY).write_text(HONEST, encoding="utf-8")
    return base / "class" / "eve"


def handed_to_the_grader(base: Path) -> Path:
    """The class's archive, where one was made of it; else its folder."""
    return next((path for path in sorted(base.iterdir()) if path.is_file()), base / "class")


# --- what attacks are built with ------------------------------------------------------------------------------------


def cell(source: str, grade_id: str = "", **more: Any) -> dict[str, Any]:
    """A code cell; with a grade_id, a test cell as nbgrader marks it."""
    marks = {"nbgrader": {"grade_id": grade_id, "grade": True, "points": 2, "locked": True}} if grade_id else {}
    made = {"cell_type": "code", "metadata": marks, "outputs": [], "execution_count": None, "source": source}
    return made | more


def tests() -> list[dict[str, Any]]:
    """The test cells that a notebook is handed out with."""
    return [cell(source, name) for name, source in CHECKS.items()]


def notebook(*cells: str | dict[str, Any], **metadata: Any) -> str:
    """A notebook of code cells."""
    made = [cell(one) if isinstance(one, str) else one for one in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made})


def zipped(entries: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for name, data in entries.items():
            packed.writestr(zipfile.ZipInfo(name) if method == zipfile.ZIP_STORED else name, data)
    return buffer.getvalue()


def tarred(*members: tuple[str, str | bytes, dict[str, Any]]) -> bytes:
    """A tar of (name, content, further fields of TarInfo)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as bundle:
        for name, content, fields in members:
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            bundle.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def class_archive(folder: Path, entries: Mapping[str, str | bytes]) -> None:
    """The class as a learning platform hands it out, in one zip: the honest neighbour's file, and these."""
    (folder.parent.parent / "class.zip").write_bytes(zipped({f"honest/{PY}": HONEST} | dict(entries)))
