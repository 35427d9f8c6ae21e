"""Gradescope: the zip builds from its own files and grades in the harness's layout; what students see holds no secret."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from autograder.course.catalog import find_exercises
from autograder.exports import gradescope_run
from autograder.exports.gradescope import VISIBILITIES, autograder_zip
from autograder.exports.gradescope_run import submitted
from autograder.records import PtqlabError

SLUG = "01_tiny"
MISTAKEN = """
def double(x):
    return abs(x) * 2

class Counter:
    def __init__(self):
        self.total = 0
    def add(self, n):
        self.total += n
"""


@pytest.fixture(scope="module")
def autograder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /autograder as Gradescope lays it out, with the kit of the zip installed and nothing of the clone's."""
    root = tmp_path_factory.mktemp("autograder")
    (root / "source").mkdir()
    archive = zipfile.ZipFile(io.BytesIO(autograder_zip(find_exercises(tiny)[0], 7)))
    for entry in archive.infolist():
        path = Path(archive.extract(entry, root / "source"))
        path.chmod(entry.external_attr >> 16 & 0o777)
    os.link(root / "source" / "run_autograder", root / "run_autograder")
    environment(root)
    return root


def environment(root: Path) -> None:
    """What setup.sh makes, but for the libraries, which are this environment's: installing them takes a gigabyte."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / "venv")], check=True)
    site = next((root / "venv" / "lib").glob("*/site-packages"))
    libraries = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries) + "\n")
    with zipfile.ZipFile(next((root / "source").glob("ptqlab-*.whl"))) as wheel:
        wheel.extractall(site)


def grade(root: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for old in (root / "submission").glob("*"):
        old.unlink()
    (root / "submission").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "submission" / name).write_text(text, encoding="utf-8")
    command = [str(root / "run_autograder")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PTQLAB"))}
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, env=kept | {"PTQLAB_AUTOGRADER": str(root)}
    )


@pytest.fixture(scope="module")
def results(autograder: Path) -> dict[str, Any]:
    done = grade(autograder, {f"{SLUG}.py": MISTAKEN, "notes.txt": "mine"})
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((autograder / "results" / "results.json").read_text(encoding="utf-8"))
    return found


def test_the_zip_holds_what_gradescope_asks_for_and_what_the_kit_needs(autograder: Path) -> None:
    source = autograder / "source"
    for name in ("setup.sh", "run_autograder"):
        text = (source / name).read_text(encoding="utf-8")
        assert text.startswith("#!/usr/bin/env bash\n")
        assert stat.S_IMODE((source / name).stat().st_mode) == 0o755
        assert subprocess.run(["bash", "-n", str(source / name)]).returncode == 0
    assert (source / "solutions" / SLUG / "test_hidden.py").is_file()
    assert (source / "solutions" / "held_back" / "manifest.json").is_file()
    assert not list(source.rglob("design.md"))


def test_the_kit_that_grades_is_the_one_in_the_zip(autograder: Path) -> None:
    code = "import autograder as a, importlib.metadata as m; print(a.__file__, m.version('ptqlab'))"
    done = subprocess.run(
        [str(autograder / "venv/bin/python"), "-P", "-c", code],
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(autograder / "venv")), done.stdout + done.stderr


def test_each_task_is_scored_and_each_test_has_its_visibility(results: dict[str, Any]) -> None:
    assert results["score"] == 5.4
    scored = {e["number"]: (e["score"], e["max_score"], e["status"]) for e in results["tests"] if "score" in e}
    assert scored == {"1.1": (2.4, 4.0, "failed"), "1.2": (3.0, 3.0, "passed"), "1.3": (0.0, 0.0, "failed")}
    seen = {e["name"]: (e["visibility"], e["status"]) for e in results["tests"] if "score" not in e}
    assert seen["double(3) is 6."] == ("visible", "passed")
    assert seen["double works below zero, too."] == ("after_published", "failed")
    assert len(seen) == 7


def test_results_keep_to_the_documented_format(results: dict[str, Any]) -> None:
    allowed = {
        "score",
        "execution_time",
        "output",
        "output_format",
        "test_output_format",
        "test_name_format",
        "visibility",
        "stdout_visibility",
        "extra_data",
        "tests",
        "leaderboard",
    }
    of_test = {
        "score",
        "max_score",
        "status",
        "name",
        "name_format",
        "number",
        "output",
        "output_format",
        "tags",
        "visibility",
        "extra_data",
    }
    assert results.keys() <= allowed
    for entry in results["tests"]:
        assert entry.keys() <= of_test
        assert entry["status"] in ("passed", "failed")
        assert entry["visibility"] in VISIBILITIES
        assert all(isinstance(entry[key], str) for key in ("name", "number", "output"))
        assert all(isinstance(tag, str) for tag in entry.get("tags", []))


def test_no_secret_stands_in_the_results(autograder: Path, results: dict[str, Any]) -> None:
    text = (autograder / "results" / "results.json").read_text(encoding="utf-8")
    assert "a negative number is not doubled" in text
    assert not [secret for secret in ("hidden-marker-7f3a", "solution-marker-51c2", "918273") if secret in text]


def run_here(autograder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What run_autograder starts, in this process: torch is imported already."""
    for old in (autograder / "submission").glob("*"):
        old.unlink()
    (autograder / "submission" / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["gradescope_run", str(autograder)])
    monkeypatch.setenv("PTQLAB_DATASETS", "")
    gradescope_run.main()


def test_a_submission_that_cannot_be_read_is_zero_and_a_sentence(
    autograder: Path, results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here(autograder, "anything.ipynb", "{", monkeypatch)
    found = json.loads((autograder / "results" / "results.json").read_text(encoding="utf-8"))
    assert found["score"] == 0
    assert "is not valid JSON" in found["output"]


def test_a_fault_of_ours_leaves_no_results(
    autograder: Path, results: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then Gradescope tells the student to ask the staff; a zero would be believed."""
    hidden = autograder / "source" / "solutions" / SLUG / "test_hidden.py"
    text = hidden.read_text(encoding="utf-8")
    hidden.write_text("raise RuntimeError('hidden-marker-7f3a')", encoding="utf-8")
    try:
        with pytest.raises(SystemExit) as stopped:
            run_here(autograder, f"{SLUG}.py", MISTAKEN, monkeypatch)
    finally:
        hidden.write_text(text, encoding="utf-8")
    assert stopped.value.code == 1
    assert "withheld" in capsys.readouterr().err
    assert not (autograder / "results" / "results.json").exists()


@pytest.mark.parametrize(
    ("files", "chosen", "problem"),
    [
        ([], None, "no notebook came"),
        (["other.ipynb"], "other.ipynb", ""),
        (["helper.py", f"{SLUG}.ipynb"], f"{SLUG}.ipynb", ""),
        (["one.py", "two.py"], None, "Expected one file"),
    ],
)
def test_the_file_that_counts(tiny: Path, tmp_path: Path, files: list[str], chosen: str | None, problem: str) -> None:
    for name in files:
        (tmp_path / name).write_text(f"x = {name!r}", encoding="utf-8")
    found = submitted(tmp_path, find_exercises(tiny)[0])
    assert (found.path.name if found.path else None) == chosen
    assert problem in found.problem
    assert not found.withheld


def test_the_same_exercise_and_seed_give_the_same_zip(tiny: Path) -> None:
    exercise = find_exercises(tiny)[0]
    assert autograder_zip(exercise, 7) == autograder_zip(exercise, 7)
    with pytest.raises(PtqlabError, match="visibility that Gradescope knows"):
        autograder_zip(exercise, 7, hidden="never")
