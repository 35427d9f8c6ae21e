"""The benchmark compares like with like: all ways give the same verdict on every test. No time is asserted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import compare
import pytest
from cost import Cost

BENCHMARKS = Path(__file__).parent


NBGRADER = ["`nbgrader autograde`"] * 3


STUDENTS = "2"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the script prints; it ends with an error when two ways disagree on a test, or nbgrader on a score."""
    out = tmp_path_factory.mktemp("bench") / "table.md"
    size = ["--students", STUDENTS, "--sample", "2", "--rounds", "1"]
    command = [sys.executable, "-P", BENCHMARKS / "compare.py", *size, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == out.read_text(encoding="utf-8")
    return done.stdout


@pytest.mark.proof
def test_every_way_is_measured(said: str) -> None:
    rows = re.findall(r"^\| (.+) \| [\d.]+ \| [\d.]+ \| [\d.]+× \| (\d+) \|$", said, re.MULTILINE)
    assert [name.split(",")[0] for name, _ in rows] == [
        "`ptqlab grade`",
        "`ptqlab grade --every-test`",
        *NBGRADER,
        "a pytest process a student",
        "pytest in one warm process",
        "the floor: test functions called in one warm process",
    ]
    assert {count for _, count in rows} == {STUDENTS}


@pytest.mark.proof
def test_the_machine_and_the_versions_are_named(said: str) -> None:
    last = said.splitlines()[-1]
    for name in ("cores", "Linux", "Python 3.", "ptqlab ", "nbgrader ", "pytest ", "torch "):
        assert name in last
    assert "all ways gave the same verdict on every test" in said


def test_ways_that_disagree_end_the_benchmark() -> None:
    ways = {name: compare.Way() for name in compare.TITLES}
    for way in ways.values():
        way.add(Cost(1.0, 1.0), {"a": {"test_x": True, "test_y": False}})
    assert compare.check_agreement(ways) == 2
    ways["floor"].verdicts["a"] = {"test_x": True}
    with pytest.raises(SystemExit, match=r"the floor.*differs on a: test_y"):
        compare.check_agreement(ways)


def test_a_command_is_charged_for_the_processes_that_it_leaves_behind() -> None:
    """A kernel or a worker that its parent never waited for uses CPU time all the same."""
    orphan = "import os\nif os.fork() == 0:\n    while os.times().user < 0.5: pass\n"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import cost; from pathlib import Path\n"
        "cost.adopt_orphans()\n"
        f"print(cost.run([sys.executable, '-c', {orphan!r}], Path('/'), {{}})[0].cpu_s >= 0.5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, BENCHMARKS], capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.proof
def test_the_cost_of_every_layer_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    command = [sys.executable, "-P", BENCHMARKS / "isolation.py", "--rounds", "1", "--calls", "2", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == out.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z ,]+) \| [\d.]+ \|.*\| (.+) \|$", done.stdout, re.MULTILINE))
    assert list(rows) == [
        "every layer, and the probes",
        "every layer",
        "without namespaces",
        "without landlock",
        "without seccomp",
        "without user",
        "without limits",
        "without control group",
        "no layer",
    ]
    assert "seccomp" in rows["every layer"]
    assert "seccomp" not in rows["without seccomp"]
    assert "control group" not in rows["without control group"]
    assert rows["no layer"] == "none"
