"""No attack of the bank wins anything from the grader, as root and as an ordinary user; most win from a naive one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autograder.model import Limits
from autograder.sandbox.host import Worker

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import common  # noqa: E402
import ordinary_user  # noqa: E402
import table  # noqa: E402

BANK = common.read_bank()
NAIVE, OURS = str(HERE / "naive.py"), str(HERE / "ours.py")


def run_here(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd="/")


RUNS: dict[str, Callable[[], subprocess.CompletedProcess[str]]] = {
    "here": lambda: run_here(OURS),
    "ordinary user": lambda: ordinary_user.run([OURS], timeout=600),
    "naive": lambda: run_here(NAIVE),
}


@pytest.fixture(scope="module")
def runs() -> dict[str, Future[subprocess.CompletedProcess[str]]]:
    """All three runs of the bank, two at a time: each is one process that grades everything."""
    pool = ThreadPoolExecutor(2)
    return {name: pool.submit(run) for name, run in RUNS.items()}


@pytest.fixture
def result(runs: dict[str, Future[subprocess.CompletedProcess[str]]]) -> Callable[[str, str], dict[str, Any]]:
    """What came of an attack in a run."""

    def found(run: str, attack: str) -> dict[str, Any]:
        done = runs[run].result()
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(done.stdout)[attack])

    return found


Result = Callable[[str, str], dict[str, Any]]


@pytest.mark.parametrize("place", ["here", "ordinary user"])
@pytest.mark.parametrize("attack", BANK, ids=lambda attack: attack.name)
def test_no_attack_wins_anything(attack: common.Attack, place: str, result: Result) -> None:
    """Not a point, not a hidden byte, no file, no process, no message; and there is a report, with a score."""
    found = result(place, attack.name)
    assert found["hits"] == []
    assert found["points"] == 0
    assert "Landlock" in found["isolation"] or "namespaces" in found["isolation"]


@pytest.mark.parametrize("attack", BANK, ids=lambda attack: attack.name)
def test_the_naive_grader_loses_to_it_as_its_header_says(attack: common.Attack, result: Result) -> None:
    """The positive control: what is called an attack does what it says where nothing stops it."""
    if attack.naive == "robustness" and attack.wins_if == "no report":
        pytest.skip("whether the naive grader gets through in its two CPU seconds depends on how busy the machine is")
    assert (attack.wins_if in result("naive", attack.name)["hits"]) == (attack.naive == "wins")


def test_the_bank_is_large_and_of_all_kinds() -> None:
    kinds = Counter(attack.category for attack in BANK)
    assert set(kinds) == set(common.CATEGORIES)
    assert min(kinds.values()) >= 4
    assert len(BANK) >= 80


def test_most_of_the_bank_wins_against_the_naive_grader() -> None:
    assert sum(attack.naive == "wins" for attack in BANK) > 0.75 * len(BANK)


def test_every_attack_loads_in_the_worker() -> None:
    """An attack that fails to be imported proves nothing: only those that mean to may stop there."""
    endings = {"exit_with_success", "endless_import"}
    with common.Target() as target:
        for attack in BANK:
            if attack.name in endings:
                continue
            with Worker(attack.aimed(target), Limits(call_cpu_s=5)) as worker:
                worker.start()
                own = ("SystemExit", "at import", "reference")  # raised on purpose, or for want of a module there
                assert all(any(word in problem for word in own) for problem in worker.problems), attack.name


def test_the_table_of_the_documentation_is_fresh() -> None:
    """`python tests/attacks/table.py` writes it."""
    assert table.PAGE.read_text(encoding="utf-8") == table.page(BANK)
