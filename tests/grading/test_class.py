"""A class through the command line: every way to hand in something odd ends in a clear sentence, and nobody else suffers."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from autograder.cli import main
from autograder.course.sources import reference_source

SLUG = "01_basic_quantization"
PTQLAB = Path(sys.executable).with_name("ptqlab")
REFERENCE = reference_source(ROOT / "solutions" / SLUG / "source.py")


def ptqlab(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [str(PTQLAB), *map(str, arguments)]
    environment = os.environ | {"PTQLAB_COURSE": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, cwd=more.get("cwd", "/"), env=environment
    )


def run_here(*arguments: object, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return the exit code of the command, run in this process: torch is imported already."""
    monkeypatch.setattr(sys, "argv", ["ptqlab", *map(str, arguments)])
    monkeypatch.setenv("PTQLAB_COURSE", str(ROOT))
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def with_function(name: str, body: str, signature: str = "*args, **kwargs") -> str:
    return f"{REFERENCE}\n\ndef {name}({signature}):\n    {body}\n"


def book(*cells: str) -> str:
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {},
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"c{i}",
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                    "source": cell,
                }
                for i, cell in enumerate(cells)
            ],
        }
    )


HANDED_IN: dict[str, str | bytes] = {
    "perfect.py": REFERENCE,
    "perfect_notebook.ipynb": book(*REFERENCE.split("\n\n\n")),
    "empty_file.ipynb": "",
    "invalid_json.ipynb": "{'cells': [",
    "not_a_notebook.ipynb": "[1, 2, 3]",
    "not_utf8.ipynb": b"\xff\xfe\x00{",
    "broken_cell.ipynb": book(
        REFERENCE.replace("def compute_sqnr", "def earlier_sqnr"),
        "def compute_sqnr(original, restored:\n    return 1.0",
    ),
    "no_functions.ipynb": book("print('hello')"),
    "wrong_arity.py": with_function("symmetric_quantization", "return 1", "x, y, z, w"),
    "wrong_type.py": with_function("dequantize", "return 'a string'"),
    "returns_nan.py": with_function("compute_sqnr", "return float('nan')"),
    "returns_numpy.py": with_function("dequantize", "import numpy as np; return np.zeros(3)"),
    "ten_gigabytes.py": with_function("pack_int4", "return torch.zeros(10 * 2**30, dtype=torch.uint8)"),
    "large_return.py": with_function("pack_int4", "return torch.zeros(400 * 2**20, dtype=torch.uint8)"),
    "exits_at_import.py": REFERENCE + "\nimport os\nSTATE = os._exit(0)\n_symmetric_scale = STATE\n",
    "raises_at_import.py": REFERENCE + "\nSTATE = 1 / 0\n",
    "<b>&=cmd|' /C calc'.py": REFERENCE,
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("class")
    handed, out = folder / "in", folder / "out"
    handed.mkdir()
    for name, content in HANDED_IN.items():
        student = handed / name.rpartition(".")[0].replace("/", "")
        student.mkdir()
        (student / f"{SLUG}.{name.rpartition('.')[2]}").write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
    (handed / "nothing").mkdir()
    (handed / "symlink").mkdir()
    (handed / "symlink" / f"{SLUG}.py").symlink_to(handed / "perfect" / f"{SLUG}.py")
    return out, ptqlab("grade", handed, "--out", out, "--seed", 11, "--jobs", 2)


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def report(out: Path, student: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / student / f"{SLUG}.json").read_text(encoding="utf-8"))
    return found


def test_everything_was_graded_so_the_exit_code_is_0(graded: Any) -> None:
    out, done = graded
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows(out)) == len(HANDED_IN) + 2


@pytest.mark.parametrize("student", ["perfect", "perfect_notebook", "raises_at_import"])
def test_who_is_right_gets_everything_whatever_the_others_did(graded: Any, student: str) -> None:
    assert rows(graded[0])[student]["total"] == "25"


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("empty_file", "empty"),
        ("invalid_json", "JSON"),
        ("not_a_notebook", "notebook"),
        ("not_utf8", "UTF-8"),
        ("nothing", SLUG),
        ("symlink", "link"),
    ],
)
def test_what_cannot_be_read_is_one_students_clear_sentence(graded: Any, student: str, words: str) -> None:
    found = report(graded[0], student)
    assert (found["status"], found["earned"]) == ("unreadable", 0)
    assert words in found["reason"]
    assert words in (graded[0] / student / f"{SLUG}.html").read_text(encoding="utf-8")


def lost(out: Path, student: str) -> list[str]:
    return [task["id"] for task in report(out, student)["tasks"] if task["earned"] < task["points"]]


@pytest.mark.parametrize(
    ("student", "task"),
    [
        ("broken_cell", "1.8"),
        ("wrong_type", "1.3"),
        ("returns_nan", "1.8"),
        ("returns_numpy", "1.3"),
        ("ten_gigabytes", "1.7"),
        ("large_return", "1.7"),
    ],
)
def test_a_mistake_costs_only_the_task_it_is_in(graded: Any, student: str, task: str) -> None:
    assert task in lost(graded[0], student)
    assert set(lost(graded[0], student)) <= {task, "1.4"}  # the reference's 1.4 builds on 1.3


def test_a_cell_that_does_not_parse_is_named(graded: Any) -> None:
    notes = " ".join(report(graded[0], "broken_cell")["notes"])
    assert "Cell 2" in notes
    assert "does not parse" in notes


def messages(out: Path, student: str) -> str:
    return "\n".join(test["message"] for task in report(out, student)["tasks"] for test in task["tests"])


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("no_functions", "not defined"),
        ("wrong_arity", "TypeError"),
        ("wrong_type", "str"),
        ("returns_numpy", "numpy.ndarray"),
        ("large_return", "returned more than 256 MB"),
    ],
)
def test_the_message_names_the_mistake(graded: Any, student: str, words: str) -> None:
    assert words in messages(graded[0], student)


def test_leaving_at_import_earns_nothing_and_is_a_crash(graded: Any) -> None:
    found = report(graded[0], "exits_at_import")
    assert (found["earned"], found["status"]) == (0, "partial")


def test_a_hostile_name_is_harmless_in_the_csv_and_in_html(graded: Any) -> None:
    out, _ = graded
    name = next(name for name in rows(out) if "calc" in name)
    assert not name.startswith("=")
    page = next(path for path in out.glob(f"*/{SLUG}.html") if "calc" in path.parent.name).read_text(encoding="utf-8")
    assert "<b>&=" not in page


def test_the_report_carries_what_a_regrade_needs(graded: Any) -> None:
    found = report(graded[0], "perfect")
    need = {
        "student",
        "exercise",
        "earned",
        "possible",
        "status",
        "isolation",
        "device",
        "seed",
        "kit_version",
        "duration_s",
        "tasks",
    }
    assert need <= found.keys()
    assert found["seed"] == 11
    assert {"id", "points", "earned", "tests"} <= found["tasks"][0].keys()
    assert {"id", "hidden", "status", "message"} <= found["tasks"][0]["tests"][0].keys()
    assert "Landlock" in found["isolation"] or "namespaces" in found["isolation"]


def test_a_second_run_grades_nothing_again_and_gives_the_same_scores(graded: Any) -> None:
    out, _ = graded
    before = {path: path.stat().st_mtime_ns for path in out.glob(f"perfect*/{SLUG}.json")}
    handed = out.parent / "in"
    scores = (out / "scores.csv").read_text(encoding="utf-8")
    assert ptqlab("grade", handed, "--out", out, "--jobs", 2).returncode == 0  # the seed is kept beside the grades
    assert before == {path: path.stat().st_mtime_ns for path in out.glob(f"perfect*/{SLUG}.json")}
    assert scores == (out / "scores.csv").read_text(encoding="utf-8")


def test_rescoring_without_changed_points_changes_nothing(graded: Any) -> None:
    out, _ = graded
    scores = (out / "scores.csv").read_text(encoding="utf-8")
    assert ptqlab("rescore", out).returncode == 0
    assert scores == (out / "scores.csv").read_text(encoding="utf-8")


# --- the command line's own mistakes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade", "/nowhere", "--out", "{out}"], "does not exist"),
        (["grade", "{empty}", "--out", "{out}"], "none of these"),
        (["grade", "{empty}", "--out", "{out}", "--exercise", "77"], "77"),
        (["rescore", "{empty}"], "there are none"),
        (["check", "{empty}/nothing.ipynb"], "nothing"),
        (["verify", "--exercise", "nonsense"], "nonsense"),
    ],
)
def test_unusable_arguments_end_in_one_sentence_and_exit_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"out": tmp_path / "out", "empty": tmp_path / "empty"}
    code = run_here(*(argument.format(**places) for argument in arguments), monkeypatch=monkeypatch)
    assert code == 2
    assert words in capsys.readouterr().err


def test_two_changed_notebooks_withhold_the_score_and_the_exit_code_is_1(tmp_path: Path) -> None:
    student = tmp_path / "in" / "undecided"
    student.mkdir(parents=True)
    (student / f"{SLUG}.ipynb").write_text(book(REFERENCE))
    (student / f"{SLUG}.zh-TW.ipynb").write_text(book(REFERENCE + "\nX = 1\n"))
    done = ptqlab("grade", tmp_path / "in", "--out", tmp_path / "out", "--seed", 1)
    assert done.returncode == 1, done.stdout + done.stderr
    found = report(tmp_path / "out", "undecided")
    assert (found["status"], found["earned"]) == ("withheld", None)
    assert rows(tmp_path / "out")["undecided"]["total"] == ""


def test_the_seed_is_drawn_once_and_kept_and_a_report_without_isolation_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me.py").write_text("def compute_sqnr(a, b):\n    return 1.0\n")
    seeds = []
    for isolation in ("none", "auto"):
        command = ("grade", tmp_path / "me.py", "--out", tmp_path / "out", "--exercise", "01", "--regrade")
        assert run_here(*command, "--isolation", isolation, monkeypatch=monkeypatch) == 0
        found = report(tmp_path / "out", "me")
        assert (found["isolation"] == "none") == (isolation == "none")
        seeds.append(found["seed"])
    assert seeds[0] == seeds[1] == json.loads((tmp_path / "out" / "assignment.json").read_text())["seed"]


def test_check_on_the_command_line_tells_a_student_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{SLUG}.py").write_text(REFERENCE)
    assert run_here("check", tmp_path / f"{SLUG}.py", "--task", "1.1", monkeypatch=monkeypatch) == 0
    (tmp_path / f"{SLUG}.py").write_text(with_function("symmetric_quantization", "raise NotImplementedError"))
    assert run_here("check", tmp_path / f"{SLUG}.py", "--task", "1.1", monkeypatch=monkeypatch) == 1
    assert "not written yet" in capsys.readouterr().out.lower()
