"""No attack of the bank wins anything from the grader, whoever runs it and wherever; most win from a naive one.

An attack is graded here on the path of `ptqlab grade`, as an ordinary user, and in a container that refuses namespaces (as
both). A landing draws one of each category here, and one of each way to win elsewhere. The naive graders run in
`make prove`, and when an attack or a naive grader changes: see controls.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import common
import controls
import pytest
import table
from support import SUPPORT, ordinary_user

HERE = Path(__file__).resolve().parent
CALLED, BUILT = common.read_bank(), common.read_built()
BANK = [*CALLED, *BUILT]
CONTAINER = str(SUPPORT / "container.py")
SLOW = ("a_moment_later", "archive_beside_plain_files")  # they keep a grader busy
HANGS_S = 7200  # the whole bank takes minutes
Ran = subprocess.CompletedProcess[str]


def run_here(arguments: Sequence[str]) -> Ran:
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, check=False, cwd="/")


PLACES: dict[str, Callable[[Sequence[str]], Ran]] = {
    "here": run_here,
    "ordinary user": lambda arguments: ordinary_user.run(arguments, timeout=HANGS_S),
    "container": lambda arguments: run_here([CONTAINER, "namespaces", *arguments]),
    "ordinary user in a container": lambda arguments: ordinary_user.run(
        [CONTAINER, "namespaces", *arguments], timeout=HANGS_S
    ),
}


def tries(bank: Iterable[common.Attack]) -> list[Any]:
    """Every attack in every place, as parameters of a test."""
    pairs = [(attack, place) for place in PLACES for attack in bank]
    return [pytest.param(a, place, marks=mark(a, place), id=f"{a.name}-{place}") for a, place in pairs]


def mark(attack: common.Attack, place: str) -> pytest.MarkDecorator:
    """Have a landing draw an attack; a slow one is left to the proof, as is one that reaches no worker in another place."""
    if attack.name in SLOW or (place != "here" and attack.category in common.HANDED_IN):
        return pytest.mark.proof
    if place == "here":  # one of every two categories
        return pytest.mark.sampled(f"here: {common.CATEGORIES.index(attack.category) // 2}", 1)
    return pytest.mark.sampled(f"elsewhere: {attack.wins_if}", 1)


class Runs:
    """The results of the attacks: one process for each place and kind of attack grades all that this run has selected."""

    def __init__(self, selected: Iterable[pytest.Item]) -> None:
        self.names: dict[tuple[str, bool], set[str]] = defaultdict(set)
        for item in selected:
            params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
            if item.path == Path(__file__) and "place" in params:
                self.names[params["place"], params["attack"] in BUILT].add(params["attack"].name)
        self.graded = cache(self._grade)

    def _grade(self, place: str, built: bool) -> dict[str, Any]:
        done = PLACES[place]([str(HERE / ("ours_class.py" if built else "ours.py")), *sorted(self.names[place, built])])
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(done.stdout))

    def result(self, place: str, attack: common.Attack) -> dict[str, Any]:
        return dict(self.graded(place, attack in BUILT)[attack.name])


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Runs:
    return Runs(request.session.items)


@pytest.mark.parametrize("attack, place", tries(CALLED))
def test_no_attack_wins_anything(attack: common.Attack, place: str, runs: Runs) -> None:
    """Not a point, not a hidden byte, no file, no process, no message; and there is a report, with a score."""
    found = runs.result(place, attack)
    assert found["hits"] == []
    assert found["points"] == 0
    assert ("namespaces" in found["isolation"]) == ("container" not in place)
    assert "Landlock" in found["isolation"] or "namespaces" in found["isolation"]
    meant = ("SystemExit", "at import", "reference")  # raised on purpose, or for want of a module there
    unexpected = [problem for problem in found["problems"] if not any(word in problem for word in meant)]
    assert unexpected == [], "an attack that is not even imported proves nothing"


@pytest.mark.parametrize("attack, place", tries(BUILT))
def test_nothing_that_is_handed_in_wins_anything(attack: common.Attack, place: str, runs: Runs) -> None:
    """Not a point, no file; and the neighbour's report is what it is alone."""
    found = runs.result(place, attack)
    assert found["hits"] == []
    assert found["points"] == 0


# --- the positive control -------------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.parametrize("built", [False, True], ids=["called", "handed in"])
def test_the_naive_graders_lose_to_each_attack_as_its_header_says(built: bool) -> None:
    """What is called an attack does what it says where nothing stops it."""
    assert controls.wrong(BUILT if built else CALLED) == []


def test_the_naive_graders_have_seen_every_attack_as_it_is() -> None:
    assert controls.stale(BANK) == [], "run `python -P tests/attacks/controls.py` and commit controls.txt"


def test_an_attack_that_was_changed_is_to_be_seen_again() -> None:
    """Also an attack that is new."""
    (changed, new), rest = BANK[:2], BANK[2:]
    seen = {attack.name: controls.digest(attack) for attack in BANK if attack != new} | {changed.name: "another"}
    assert controls.stale([changed, new, *rest], seen) == [changed, new]


# --- the bank -------------------------------------------------------------------------------------------------------


def test_the_bank_is_large_and_of_all_kinds() -> None:
    kinds = Counter(attack.category for attack in BANK)
    assert set(kinds) == set(common.CATEGORIES)
    assert min(kinds.values()) >= 5
    assert len(BANK) >= 150
    assert {attack.category for attack in BUILT} == set(common.HANDED_IN)
    assert {attack.name for attack in BANK} >= set(SLOW)


def test_most_of_the_bank_wins_against_the_naive_grader() -> None:
    assert sum(attack.naive == "wins" for attack in BANK) > 0.75 * len(BANK)


def test_the_table_of_the_documentation_is_fresh() -> None:
    """`python tests/attacks/table.py` writes it."""
    assert table.PAGE.read_text(encoding="utf-8") == table.page(BANK)
