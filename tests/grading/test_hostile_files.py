"""A class in which files are far too much to read: each is its student's sentence and 0, and nobody else notices."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small import HONEST, IPYNB, PY, SLUG, make_course
from support import hostile

SENTENCES = {  # student -> how the reason for the 0 begins; "": what is left of the file is graded
    "or-pattern": "",
    "tiny-objects": f"{IPYNB} needs more than 1 GB of memory to be read",
    "loops": f"{IPYNB} is too large or too intricate for Python's own compiler (at cell 1)",
    "deep": f"{IPYNB} is no notebook: its JSON is too deep",
    "bomb": "Expected an archive that can be unpacked, but work.zip unpacks to more than 200 MB.",
    "document": f"Expected a notebook (.ipynb) or a script (.py), but {IPYNB} came, which is a PDF",
}
HOSTILE = {
    "or-pattern": (
        PY,
        f"def double(x):\n    {hostile.or_pattern(2_500).replace(chr(10), chr(10) + '    ')}\n".encode(),
    ),
    "tiny-objects": (IPYNB, hostile.KINDS["tiny objects"]()[1]),
    "loops": (IPYNB, hostile.notebook(hostile.loops(80_000), HONEST)),
    "deep": (IPYNB, hostile.KINDS["deep JSON"]()[1]),
    "document": (IPYNB, b"%PDF-1.7\n"),
}


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(3):
            packed.writestr(f"{number}/{PY}", bytes(100 << 20))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The command's end, and the folder of grades."""
    base = tmp_path_factory.mktemp("hostile")
    make_course(base / "course")
    outputs = {"output_type": "stream", "name": "stdout", "text": ["x" * 1000 + "\n"] * 60_000}
    plots = {"cells": [{"cell_type": "code", "source": HONEST, "outputs": [outputs]}]}
    files = HOSTILE | {
        "honest": (PY, HONEST.encode()),
        "plots": (IPYNB, json.dumps(plots).encode()),
        "bomb": ("work.zip", bomb()),
    }
    for student, (name, data) in files.items():
        (base / "class" / student).mkdir(parents=True)
        (base / "class" / student / name).write_bytes(data)
    command = [str(Path(sys.executable).with_name("ptqlab")), "grade", str(base / "class"), "--exercise", SLUG]
    command += ["--out", str(base / "out"), "--course", str(base / "course"), "--jobs", "1", "--seed", "7"]
    return subprocess.run(command, capture_output=True, text=True, cwd=base, timeout=500), base / "out"


def test_the_batch_ends_and_nothing_is_withheld(graded: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, out = graded
    assert done.returncode == 0, done.stderr
    with (out / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        totals = {row["student"]: row["total"] for row in csv.DictReader(file)}
    assert totals == dict.fromkeys(SENTENCES, "0") | {"honest": "2", "plots": "2"}


@pytest.mark.parametrize("student", SENTENCES)
def test_each_student_is_told_why_in_one_sentence(
    student: str, graded: tuple[subprocess.CompletedProcess[str], Path]
) -> None:
    if student == "loops" and sys.version_info >= (3, 12):
        pytest.skip("the compiler says what is wrong, and only the cell is left out")
    report = json.loads((graded[1] / student / f"{SLUG}.json").read_text(encoding="utf-8"))
    expected = SENTENCES[student]
    assert report["status"] == ("unreadable" if expected else "graded")
    assert report["reason"].startswith(expected)


def test_the_page_of_the_class_is_made_of_all_of_them(graded: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    page = (graded[1] / "class.html").read_text(encoding="utf-8")
    assert all(name in page for name in (*SENTENCES, "honest", "plots"))
