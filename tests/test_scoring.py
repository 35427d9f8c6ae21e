"""Scoring is a pure function: these tests run no student code."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rubrics import rubric

from autograder.records import (
    Exercise,
    Limits,
    Outcome,
    Provenance,
    PtqlabError,
    Report,
    RubricItem,
    Status,
    Submission,
    Task,
)
from autograder.scoring import rescore, score, score_task, unscored

TEXT = {"en": "t", "zh-TW": "t"}
HINT = {"en": "h", "zh-TW": "h"}
MADE_WITH = Provenance("1", "outcomes", "points", 7, "cpu", "jail", Limits(call_cpu_s=3))
NOBODY = Submission("ann", "01_x", "def f(): ...", "sha", notes=("a note",))
P, F, M = Status.PASSED, Status.FAILED, Status.MISSING
LETTERS = {
    "P": P,
    "F": F,
    "M": M,
    "T": Status.TIMED_OUT,
    "C": Status.CRASHED,
    "R": Status.REFUSED,
    "!": Status.GRADER_ERROR,
}
RUBRIC = rubric(values=60, errors=30, state=10)


def task(points: float = 4, id: str = "1.1", bonus: bool = False, items: tuple[RubricItem, ...] = RUBRIC) -> Task:
    return Task(id, TEXT, ("f",), points, HINT, items, bonus)


def exercise(*tasks: Task) -> Exercise:
    return Exercise("01_x", TEXT, tasks or (task(),), Limits(), Path())


def outcomes(id: str = "1.1", /, **letters: str) -> list[Outcome]:
    """`outcomes(values="PF|P", errors="!")`: one test a letter; those behind the bar are hidden."""
    return list(_outcomes(id, letters))


def _outcomes(id: str, letters: dict[str, str]) -> Iterator[Outcome]:
    for item, drawn in letters.items():
        public, _, hidden = drawn.partition("|")
        for number, letter in enumerate(public + hidden):
            name, is_hidden = f"{id} {item} {number}", number >= len(public)
            yield Outcome(name, id, item, is_hidden, LETTERS[letter], "claim", f"{name} says")


def report_of(found: list[Outcome], lab: Exercise | None = None, **more: Any) -> Report:
    return score(lab or exercise(), NOBODY, found, MADE_WITH, **more)


# --- one task -----------------------------------------------------------------------------------------------------

TABLE = {
    # outcomes of values, errors and state: points of these (2.4, 1.2 and 0.4 when full), the items' and the task's status
    "everything passed": ("PP|PP", "P|P", "P|P", (2.4, 1.2, 0.4), "full full full", "full"),
    "half of the values": ("PF|PF", "P|P", "P|P", (1.2, 0, 0), "partial waiting waiting", "partial"),
    "one of three values": ("F|PF", "F", "P", (0.8, 0, 0), "partial none waiting", "partial"),
    "all values, nothing else": ("P|P", "F", "F", (2.4, 0, 0), "full none none", "partial"),
    "one test of an item lost": ("P|P", "PP|PF", "P", (2.4, 0, 0.4), "full none full", "partial"),
    "the last item lost": ("P|P", "P|P", "P|F", (2.4, 1.2, 0), "full full none", "partial"),
    "no value, all else": ("FF|FF", "P|P", "P|P", (0, 0, 0), "none waiting waiting", "none"),
    "only the published values": ("PPP|FF", "P|P", "P", (0, 0, 0), "none waiting waiting", "none"),
    "one hidden value of two": ("PPP|PF", "P|P", "P", (1.92, 0, 0), "partial waiting waiting", "partial"),
    "only a hidden value": ("FFF|P", "P", "P", (0.6, 0, 0), "partial waiting waiting", "partial"),
    "no hidden values at all": ("PP", "P", "P", (2.4, 1.2, 0.4), "full full full", "full"),
    "hidden tests of other items alone": ("P", "|P", "|F", (2.4, 1.2, 0), "full full none", "partial"),
    "nothing passed": ("F|F", "F", "F", (0, 0, 0), "none none none", "none"),
    "nothing written": ("M|M", "M", "M", (0, 0, 0), "none none none", "missing"),
    "one of two functions written": ("P|M", "M", "P", (0, 0, 0), "none none waiting", "none"),
    "something not written yet": ("M|P", "P", "P", (1.2, 0, 0), "partial waiting waiting", "partial"),
    "a quantizer that is ready-made": ("R|R", "P", "P", (0, 0, 0), "none waiting waiting", "refused"),
    "refused in one value": ("R|P", "P", "P", (1.2, 0, 0), "partial waiting waiting", "refused"),
    "refused in an item": ("P|P", "R", "P", (2.4, 0, 0.4), "full none full", "refused"),
    "missing and refused": ("M|R", "M", "M", (0, 0, 0), "none none none", "refused"),
    "out of time": ("T|P", "P", "P", (1.2, 0, 0), "partial waiting waiting", "partial"),
    "a crash": ("C|P", "C", "P", (1.2, 0, 0), "partial none waiting", "partial"),
    "a fault of ours in values": ("!|P", "P", "P", (0, 0, 0), "withheld withheld withheld", "withheld"),
    "a fault of ours elsewhere": ("P|P", "P", "!", (0, 0, 0), "withheld withheld withheld", "withheld"),
    "no test of values": ("", "P", "P", (0, 0, 0), "withheld withheld withheld", "withheld"),
    "no test of an item": ("P|P", "", "P", (0, 0, 0), "withheld withheld withheld", "withheld"),
    "no test at all": ("", "", "", (0, 0, 0), "withheld withheld withheld", "withheld"),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_a_task_earns(case: str) -> None:
    """`values` pays in proportion, each other item all or nothing once `values` is complete; a fault of ours withholds."""
    values, errors, state, earned, statuses, status = TABLE[case]
    found = score_task(task(), outcomes(values=values, errors=errors, state=state))
    assert [(item.item, item.points) for item in found.items] == [("values", 2.4), ("errors", 1.2), ("state", 0.4)]
    assert tuple(item.earned for item in found.items) == earned
    assert " ".join(item.status for item in found.items) == statuses
    assert (found.earned, found.status) == (round(sum(earned), 2), status)


def test_a_task_and_its_items_say_what_they_are_about() -> None:
    """Title, hint, texts and tests come along; another task's tests do not."""
    asked = replace(task(bonus=True), title={"en": "title"}, rubric=(RubricItem("values", 100, {"en": "asks"}),))
    own, other = outcomes(values="F|P"), outcomes("1.2", values="PPP")
    found = score_task(asked, [*other, *own])
    assert (found.id, found.title, found.points, found.bonus, found.hint) == ("1.1", {"en": "title"}, 4, True, HINT)
    assert found.tests == tuple(own)
    assert [(item.item, item.text, item.points, item.earned) for item in found.items] == [
        ("values", {"en": "asks"}, 4, 2)
    ]


@pytest.mark.parametrize(
    "letters, earned, statuses, status",
    [
        ({"values": "PP", "state": "P"}, 2.8, "full unchecked full", "partial"),
        ({"values": "PF", "state": "P"}, 1.2, "partial unchecked waiting", "partial"),
        ({"state": "P"}, 0, "unchecked unchecked waiting", "none"),
        ({}, 0, "unchecked unchecked unchecked", "none"),
        ({"values": "M"}, 0, "none unchecked unchecked", "missing"),
        ({"values": "P", "errors": "P", "state": "P"}, 4, "full full full", "full"),
        ({"values": "P", "errors": "!"}, 0, "withheld withheld withheld", "withheld"),
    ],
)
def test_at_home_an_item_without_a_test_is_unchecked_and_pays_nothing(
    letters: dict[str, str], earned: float, statuses: str, status: str
) -> None:
    """A student's own check withholds nothing but for a fault of ours."""
    found = score_task(task(), outcomes(**letters), every_item=False)
    assert (found.earned, found.status) == (earned, status)
    assert " ".join(item.status for item in found.items) == statuses


def test_points_are_rounded_to_cents_task_by_task() -> None:
    """One test of three is worth 1.33 of 4 points; five of seven are 1.71 of 2.4."""
    assert score_task(task(items=rubric(values=100)), outcomes(values="F|PF")).earned == 1.33
    found = score_task(task(items=rubric(values=60, state=40)), outcomes(values="PPP|PPFF", state="P"))
    assert (found.earned, found.items[0].earned) == (1.71, 1.71)
    assert score_task(task(0.1, items=rubric(values=60, state=40)), outcomes(values="P", state="P")).earned == 0.1


# --- a report -----------------------------------------------------------------------------------------------------


def test_a_report_says_whose_it_is_and_what_it_was_made_with() -> None:
    """Every field of the submission and of the provenance is in the report, and its provenance is the given one."""
    lab = replace(exercise(task(items=rubric(values=100))), slug="01_lab", title={"en": "Lab"})
    found = report_of(outcomes(values="P|P"), lab, duration_s=1.5)
    assert (found.student, found.exercise, found.title) == ("ann", "01_lab", {"en": "Lab"})
    assert (found.submission_sha256, found.notes, found.duration_s) == ("sha", ("a note",), 1.5)
    assert found.provenance == MADE_WITH
    assert {field.name for field in dataclasses.fields(Provenance)} <= {f.name for f in dataclasses.fields(Report)}
    assert (found.seed, found.device, found.isolation, found.limits.call_cpu_s) == (7, "cpu", "jail", 3)
    assert (found.earned, found.possible, found.status, found.reason) == (4, 4, "graded", "")
    assert report_of([]).duration_s == 0


def test_bonus_counts_as_earned_but_not_as_possible() -> None:
    """Three bonus points stand apart: seven of four can be earned."""
    whole = rubric(values=100)
    two = exercise(task(items=whole), task(3, "1.2", bonus=True, items=whole))
    found = report_of(outcomes(values="P") + outcomes("1.2", values="P"), two)
    assert (found.earned, found.possible) == (7, 4)
    assert [scored.bonus for scored in found.tasks] == [False, True]


def test_the_total_is_the_sum_of_the_rounded_tasks() -> None:
    """Three tasks of 1.33 make 3.99, so that a row of scores.csv adds up."""
    whole = rubric(values=100)
    lab = exercise(*(task(id=f"1.{n}", items=whole) for n in (1, 2, 3)))
    found = report_of([o for n in (1, 2, 3) for o in outcomes(f"1.{n}", values="F|PF")], lab)
    assert found.earned == 3.99


REASONS = {
    "our own error": (
        {"values": "P|P", "errors": "P!", "state": "P"},
        "The grader itself failed in 1.1 errors 1: 1.1 errors 1 says",
    ),
    "no test of two items": (
        {"values": "P|P"},
        "No test ran for errors, state of task 1.1: the exercise's tests are incomplete.",
    ),
    "no test of values": (
        {"errors": "P", "state": "P"},
        "No test ran for values of task 1.1: the exercise's tests are incomplete.",
    ),
    "an unknown item": (
        {"values": "P|P", "errors": "P", "state": "P", "speed": "P"},
        "1.1 speed 0 names the item 'speed', which the rubric of task 1.1 does not have.",
    ),
    "a test without an item": (
        {"values": "P|P", "errors": "P", "state": "P", "": "F"},
        "1.1  0 names the item '', which the rubric of task 1.1 does not have.",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_a_fault_of_ours_in_one_task_withholds_the_whole_score_and_is_named(case: str) -> None:
    """No score is issued while one task could not be scored, whatever the others earned."""
    letters, reason = REASONS[case]
    whole = task(id="1.2", items=rubric(values=100))
    found = report_of(outcomes("1.2", values="P|P") + outcomes(**letters), exercise(whole, task()))
    assert (found.status, found.earned, found.reason) == ("withheld", None, reason)
    assert [(scored.id, scored.status, scored.earned) for scored in found.tasks] == [
        ("1.2", "full", 4),
        ("1.1", "withheld", 0),
    ]
    assert found.tasks[1].tests == tuple(outcomes(**letters)), (
        "its tests are kept: rescoring has to find the fault again"
    )


def test_a_task_without_a_rubric_is_withheld() -> None:
    """Nothing says what its points are for: that is no zero."""
    for found in ([], outcomes(values="P")):
        assert report_of(found, exercise(task(items=()))).status == "withheld"


def test_a_run_that_ends_early_tells_what_is_lost_and_withholds_nothing() -> None:
    """Where a task's tests end with the first failure, items without an outcome are no fault."""
    found = report_of(outcomes(values="F|P"), every_item=False)
    assert (found.status, found.earned, found.tasks[0].status) == ("graded", 1.2, "partial")


@pytest.mark.parametrize("letter", "TC")
def test_a_run_cut_short_is_partial_and_says_where(letter: str) -> None:
    """Tests that ran out of time or crashed are counted, and the first one's task is named."""
    lab = exercise(task(id="1.2"), task(), task(id="1.3"))
    clean = outcomes("1.2", values="P|P", errors="P", state="F")
    cut = outcomes(values=f"{letter}|P", errors="P", state="P") + outcomes(
        "1.3", values="P|P", errors=letter, state="F"
    )
    found = report_of(clean + cut, lab)
    assert (found.status, found.earned) == ("partial", 7.2)
    assert found.reason == "2 tests timed out or crashed, the first in task 1.1."


def test_a_fault_of_ours_goes_before_a_run_cut_short() -> None:
    """A score that is not issued is not called partial."""
    assert report_of(outcomes(values="T|P", errors="!", state="P")).status == "withheld"


def test_what_cannot_be_read_is_unreadable_whatever_the_outcomes() -> None:
    """The submission's problem is the reason."""
    found = score(exercise(), replace(NOBODY, problem="empty file"), [], MADE_WITH)
    assert (found.status, found.reason) == ("unreadable", "empty file")


@pytest.mark.parametrize("status, earned, task_status", [("unreadable", 0.0, "none"), ("withheld", None, "withheld")])
def test_unreadable_earns_nothing_and_withheld_issues_no_score(
    status: str, earned: float | None, task_status: str
) -> None:
    """Of a submission for which no test ran every task is there, with its points and items, and nothing earned."""
    found = unscored(exercise(task(), task(3, "1.2", bonus=True)), NOBODY, status, "why", MADE_WITH)
    assert (found.status, found.reason, found.earned, found.possible) == (status, "why", earned, 4)
    assert (found.student, found.exercise, found.title) == ("ann", "01_x", TEXT)
    assert (found.submission_sha256, found.notes, found.duration_s, found.provenance) == (
        "sha",
        ("a note",),
        0.0,
        MADE_WITH,
    )
    assert [(t.id, t.points, t.earned, t.status, t.tests) for t in found.tasks] == [
        ("1.1", 4, 0, task_status, ()),
        ("1.2", 3, 0, task_status, ()),
    ]
    assert [(i.item, i.points, i.earned, i.status) for i in found.tasks[0].items] == [
        ("values", 2.4, 0, task_status),
        ("errors", 1.2, 0, task_status),
        ("state", 0.4, 0, task_status),
    ]


# --- scored again -------------------------------------------------------------------------------------------------


def again(lab: Exercise, report: Report, tests: str = "outcomes", points: str = "new points") -> Report:
    return rescore(lab, report, tests, points)


def test_new_points_shares_and_bonus_apply_to_stored_outcomes() -> None:
    """Nothing but points, and the fingerprint of points, differs afterwards."""
    before = report_of(outcomes(values="P|P", errors="P", state="F"), duration_s=2.5)
    after = again(exercise(task(10, items=rubric(values=60, errors=10, state=30))), before)
    assert (before.earned, after.earned, after.possible) == (3.6, 7, 10)
    assert [item.earned for item in after.tasks[0].items] == [6, 1, 0]
    assert (after.points_sha256, after.outcomes_sha256) == ("new points", "outcomes")
    assert after.tasks[0].tests == before.tasks[0].tests
    same = {field.name for field in dataclasses.fields(Report)} - {"earned", "possible", "points_sha256", "tasks"}
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}
    as_bonus = again(exercise(task(10, bonus=True)), before)
    assert (as_bonus.earned, as_bonus.possible) == (9, 0)


def test_titles_and_hints_are_those_of_the_present() -> None:
    """They are in no fingerprint, and come along."""
    before = report_of(outcomes(values="P|P", errors="P", state="F"))
    lab = replace(exercise(replace(task(), title={"en": "new"}, hint={"en": "hint"})), title={"en": "new lab"})
    after = again(lab, before)
    assert (after.title, after.tasks[0].title, after.tasks[0].hint) == (
        {"en": "new lab"},
        {"en": "new"},
        {"en": "hint"},
    )


def test_outcomes_of_other_tests_are_refused() -> None:
    """The sentence names the exercise and the student, and says what to do."""
    before = report_of(outcomes(values="P|P", errors="P", state="F"))
    with pytest.raises(
        PtqlabError,
        match=r"^Expected outcomes of the present tests of 01_x, but ann was graded with others: tests, limits, data or "
        r"torch have changed since\. Grade the submissions again\.$",
    ):
        again(exercise(), before, tests="other")


@pytest.mark.parametrize("status, earned", [("unreadable", 0), ("withheld", None)])
@pytest.mark.parametrize("tests", ["outcomes", "other"])
def test_what_no_test_met_stays_what_it_was_under_new_points(status: str, earned: float | None, tests: str) -> None:
    """There are no outcomes that other tests could have decided."""
    before = unscored(exercise(), NOBODY, status, "why", MADE_WITH)
    after = again(exercise(task(10)), before, tests)
    assert (after.status, after.earned, after.possible, after.reason) == (status, earned, 10, "why")
    assert (after.notes, after.submission_sha256, after.student) == (before.notes, "sha", "ann")
    assert (after.points_sha256, after.tasks[0].points, after.tasks[0].status) == (
        "new points",
        10,
        "none" if status == "unreadable" else "withheld",
    )


def test_a_withheld_report_with_outcomes_stays_withheld_and_keeps_its_tests() -> None:
    """The fault is among the outcomes, and is found again."""
    before = report_of(outcomes(values="P|P", errors="!", state="P"))
    after = again(exercise(task(10)), before)
    assert (after.status, after.earned, after.reason) == ("withheld", None, before.reason)
    assert after.tasks[0].tests == before.tasks[0].tests


def test_a_graded_report_without_outcomes_is_withheld() -> None:
    """Points of which nobody knows where they come from are not believed."""
    before = replace(report_of(outcomes(values="P|P", errors="P", state="P")), tasks=())
    assert again(exercise(), before).status == "withheld"


# --- laws ---------------------------------------------------------------------------------------------------------

STATUSES = st.lists(st.sampled_from("PFMTCR!"), max_size=6).map("".join)


@given(STATUSES, STATUSES, STATUSES)
def test_a_score_lies_between_nothing_and_the_points_and_full_needs_every_pass(
    public: str, hidden: str, errors: str
) -> None:
    """Full points need a test of every item, and every test's pass."""
    found = score_task(task(items=rubric(values=60, errors=40)), outcomes(values=f"{public}|{hidden}", errors=errors))
    assert 0 <= found.earned <= 4
    assert (found.earned == 4) == (bool(public + hidden) and bool(errors) and set(public + hidden + errors) == {"P"})
    assert sum(item.earned for item in found.items) == pytest.approx(found.earned, abs=0.006)


@given(STATUSES.filter(bool), st.integers(0, 5), st.booleans())
def test_turning_a_failure_into_a_pass_never_lowers_a_score(letters: str, index: int, hidden: bool) -> None:
    """Whoever mends a mistake never has less than before."""
    honest = letters.replace("!", "F")
    place = index % len(honest)
    mended = f"{honest[:place]}P{honest[place + 1 :]}"
    one, two = (
        score_task(task(items=rubric(values=60, state=40)), outcomes(values="|" * hidden + drawn, state="P"))
        for drawn in (honest, mended)
    )
    assert two.earned >= one.earned
