"""No attack of the bank wins anything from the grader, whoever runs it and wherever; most win from a naive one.

An attack is graded here on the path of `ptqlab grade`, as an ordinary user, in a container that refuses namespaces, and by
the naive graders: on every change a quarter of the bank here and a sample elsewhere, with --full all of it everywhere, also in
both forms: as it is read, and whole.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import common
import pytest
import table
from support import SUPPORT, ordinary_user

HERE = Path(__file__).resolve().parent
CALLED, BUILT = common.read_bank(), common.read_built()
BANK = [*CALLED, *BUILT]
CONTAINER = str(SUPPORT / "container.py")
SAMPLE = (  # of each kind of wall one, and of each way to win
    "planted_conftest",
    "read_other_students",
    "message_over_an_abstract_socket",
    "message_in_shared_memory",
    "signal_by_a_pipe",
    "processes_that_stay",
    "full_disk",
    "stopped_process",
    "memorised_answers",
)
EVERY = {"kit": 4, "naive": 8}  # of so many one is tried here on every change
SLOW = ("a_moment_later", "archive_beside_plain_files")  # what they keep a grader busy with is tried with --full


def run_here(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False, cwd="/")


PLACES: dict[str, Callable[[Sequence[str]], subprocess.CompletedProcess[str]]] = {
    "here": run_here,
    "ordinary user": lambda arguments: ordinary_user.run(arguments, timeout=1800),
    "container": lambda arguments: run_here([CONTAINER, "namespaces", *arguments]),
    "ordinary user in a container": lambda arguments: ordinary_user.run(
        [CONTAINER, "namespaces", *arguments], timeout=1800
    ),
}
GRADERS = {"kit": ("ours.py", "ours_class.py"), "naive": ("naive.py", "naive_class.py")}


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--full"))


class Runs:
    """What came of the attacks: one process for each grader, place and kind of attack, two at a time."""

    def __init__(self, full: bool) -> None:
        self.full = full
        self.pool = ThreadPoolExecutor(2)
        self.started: dict[tuple[str, str, bool], Future[subprocess.CompletedProcess[str]]] = {}

    def chosen(self, grader: str, place: str) -> set[str]:
        """The attacks that are tried."""
        if self.full:
            return {attack.name for attack in BANK}
        sample = set(SAMPLE) if grader == "kit" and place != "ordinary user in a container" else set()
        if place == "here":
            sample |= {attack.name for attack in BANK[:: EVERY[grader]] if attack.name not in SLOW}
        return sample

    def result(self, grader: str, place: str, attack: common.Attack) -> dict[str, Any]:
        if attack.name not in (chosen := self.chosen(grader, place)):
            pytest.skip("tried with --full")
        built = attack in BUILT
        if (grader, place, built) not in self.started:
            names = [one.name for one in (BUILT if built else CALLED) if one.name in chosen]
            both = ["--both"] if self.full and grader == "kit" and not built else []
            arguments = [str(HERE / GRADERS[grader][built]), *both, *names]
            self.started[grader, place, built] = self.pool.submit(PLACES[place], arguments)
        done = self.started[grader, place, built].result()
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(done.stdout)[attack.name])


@pytest.fixture(scope="module")
def runs(full: bool) -> Runs:
    return Runs(full)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", CALLED, ids=lambda attack: attack.name)
def test_no_attack_wins_anything(attack: common.Attack, place: str, runs: Runs) -> None:
    """Not a point, not a hidden byte, no file, no process, no message; and there is a report, with a score."""
    found = runs.result("kit", place, attack)
    assert found["hits"] == []
    assert found["points"] == 0
    assert ("namespaces" in found["isolation"]) == ("container" not in place)
    assert "Landlock" in found["isolation"] or "namespaces" in found["isolation"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", BUILT, ids=lambda attack: attack.name)
def test_nothing_that_is_handed_in_wins_anything(attack: common.Attack, place: str, runs: Runs) -> None:
    """Not a point, no file; and the neighbour's report is what it is alone."""
    found = runs.result("kit", place, attack)
    assert found["hits"] == []
    assert found["points"] == 0


@pytest.mark.parametrize("attack", BANK, ids=lambda attack: attack.name)
def test_the_naive_grader_loses_to_it_as_its_header_says(attack: common.Attack, runs: Runs) -> None:
    """The positive control: what is called an attack does what it says where nothing stops it."""
    if attack.naive == "robustness" and attack.wins_if == "no report":
        pytest.skip("whether the naive grader gets through in its two CPU seconds depends on how busy the machine is")
    assert (attack.wins_if in runs.result("naive", "here", attack)["hits"]) == (attack.naive == "wins")


def test_the_bank_is_large_and_of_all_kinds() -> None:
    kinds = Counter(attack.category for attack in BANK)
    assert set(kinds) == set(common.CATEGORIES)
    assert min(kinds.values()) >= 5
    assert len(BANK) >= 150
    assert {attack.category for attack in BUILT} == set(common.HANDED_IN)
    assert {attack.name for attack in BANK} >= set(SAMPLE)


def test_most_of_the_bank_wins_against_the_naive_grader() -> None:
    assert sum(attack.naive == "wins" for attack in BANK) > 0.75 * len(BANK)


@pytest.mark.parametrize("attack", CALLED, ids=lambda attack: attack.name)
def test_it_loads_in_the_worker(attack: common.Attack, runs: Runs) -> None:
    """An attack that fails to be imported proves nothing: only those that mean to may stop there."""
    own = ("SystemExit", "at import", "reference")  # raised on purpose, or for want of a module there
    problems = runs.result("kit", "here", attack)["problems"]
    assert [problem for problem in problems if not any(word in problem for word in own)] == []


def test_the_table_of_the_documentation_is_fresh() -> None:
    """`python tests/attacks/table.py` writes it."""
    assert table.PAGE.read_text(encoding="utf-8") == table.page(BANK)
