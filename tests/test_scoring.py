"""Scoring is a pure function: these tests run no student code."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.records import Exercise, Limits, Outcome, Settings, Status, Submission, Task
from autograder.scoring import rescore, score, score_task, unscored

TEXT = {"en": "t", "zh-TW": "t"}
FACTS = {"isolation": "i", "device": "cpu", "kit_version": "1", "tests_sha256": "", "duration_s": 0.0, "notes": ()}


def task(points: float = 4, id: str = "1.1", bonus: bool = False) -> Task:
    return Task(id, TEXT, ("f",), points, TEXT, bonus)


def exercise(*tasks: Task) -> Exercise:
    return Exercise("01_x", TEXT, tasks or (task(),), Limits(), Path())


def outcomes(kind: str, *statuses: Status, id: str = "1.1") -> list[Outcome]:
    return [Outcome(f"{kind}{i}", id, kind, False, s, "claim") for i, s in enumerate(statuses)]


P, F = Status.PASSED, Status.FAILED
NOT_PASSED = [s for s in Status if s not in (Status.PASSED, Status.GRADER_ERROR)]


def test_core_shares_60_percent_and_edge_40() -> None:
    assert score_task(task(), outcomes("core", P, P) + outcomes("edge", P, F)).earned == 3.2


def test_half_of_the_core_earns_half_of_60_percent() -> None:
    assert score_task(task(), outcomes("core", P, F) + outcomes("edge", F)).earned == 1.2


def test_edge_pays_nothing_while_a_core_test_fails() -> None:
    """An answer that always raises passes every edge test on errors."""
    assert score_task(task(), outcomes("core", F, F) + outcomes("edge", P, P, P)).earned == 0


def test_everything_passed_is_full_points() -> None:
    found = score_task(task(3), outcomes("core", P, P, P) + outcomes("edge", P, P, P, P, P, P, P))
    assert (found.earned, found.status) == (3, "full")


@pytest.mark.parametrize("status", NOT_PASSED)
def test_no_other_outcome_is_worth_a_point(status: Status) -> None:
    assert score_task(task(), outcomes("core", status)).earned == 0


def test_a_task_without_core_outcomes_is_withheld_not_full() -> None:
    found = score(exercise(), Submission("a", "01_x", "", ""), outcomes("edge", P), Settings(0), **FACTS)
    assert (found.status, found.earned) == ("withheld", None)


def test_a_grader_error_withholds_the_whole_score_and_names_the_test() -> None:
    two = exercise(task(), task(id="1.2"))
    found = score(
        two,
        Submission("a", "01_x", "", ""),
        outcomes("core", P) + outcomes("core", Status.GRADER_ERROR, id="1.2"),
        Settings(0),
        **FACTS,
    )
    assert (found.status, found.earned) == ("withheld", None)
    assert "core0" in found.reason


def test_bonus_counts_as_earned_but_not_as_possible() -> None:
    two = exercise(task(), task(3, "1.2", bonus=True))
    found = score(
        two, Submission("a", "01_x", "", ""), outcomes("core", P) + outcomes("core", P, id="1.2"), Settings(0), **FACTS
    )
    assert (found.earned, found.possible) == (7, 4)


def test_a_task_never_written_is_missing() -> None:
    missing = [Status.MISSING]
    assert score_task(task(), outcomes("core", *missing) + outcomes("edge", *missing)).status == "missing"


def test_a_refused_call_is_named_in_the_tasks_status() -> None:
    assert score_task(task(), outcomes("core", Status.REFUSED, P)).status == "refused"


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.CRASHED])
def test_a_run_cut_short_is_partial_and_says_where(status: Status) -> None:
    found = score(exercise(), Submission("a", "01_x", "", ""), outcomes("core", P, status), Settings(0), **FACTS)
    assert found.status == "partial"
    assert "1.1" in found.reason


def test_new_points_apply_to_stored_outcomes() -> None:
    before = score(
        exercise(), Submission("a", "01_x", "", ""), outcomes("core", P) + outcomes("edge", F), Settings(0), **FACTS
    )
    after = rescore(exercise(task(10)), before)
    assert (before.earned, after.earned, after.possible) == (2.4, 6, 10)


def test_unreadable_earns_nothing_and_withheld_issues_no_score() -> None:
    nothing = Submission("a", "01_x", "", "")
    assert unscored(exercise(), nothing, "unreadable", "why", Settings(0), **FACTS).earned == 0
    assert unscored(exercise(), nothing, "withheld", "why", Settings(0), **FACTS).earned is None


def test_rescoring_an_unreadable_submission_leaves_it_unreadable() -> None:
    before = unscored(exercise(), Submission("a", "01_x", "", ""), "unreadable", "why", Settings(0), **FACTS)
    after = rescore(exercise(task(10)), before)
    assert (after.status, after.earned, after.possible, after.reason) == ("unreadable", 0, 10, "why")


@given(st.lists(st.sampled_from(list(Status)), max_size=6), st.lists(st.sampled_from(list(Status)), max_size=6))
def test_a_score_lies_between_nothing_and_the_points_and_full_needs_every_pass(
    core: list[Status], edge: list[Status]
) -> None:
    found = score_task(task(4), outcomes("core", *core) + outcomes("edge", *edge))
    assert 0 <= found.earned <= 4
    assert (found.earned == 4) == (bool(core) and all(s is P for s in core + edge))


@given(st.lists(st.sampled_from(list(Status)), min_size=1, max_size=6), st.integers(0, 5))
def test_turning_a_failure_into_a_pass_never_lowers_a_score(statuses: list[Status], index: int) -> None:
    honest = [s if s is not Status.GRADER_ERROR else F for s in statuses]
    edge = outcomes("edge", P, F)
    before = score_task(task(), outcomes("core", *honest) + edge).earned
    honest[index % len(honest)] = P
    assert score_task(task(), outcomes("core", *honest) + edge).earned >= before


def test_a_third_of_a_tasks_points_is_rounded_to_cents() -> None:
    assert score_task(task(4), outcomes("core", P, F, F)).earned == 1.33
