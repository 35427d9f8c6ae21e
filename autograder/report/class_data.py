"""A class's reports, read once each and reduced to what its page shows: memory does not grow with what they say."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from sys import intern

from autograder.records import Outcome, Report, Status, TaskScore, Text
from autograder.report.text import clip

BINS = 10  # of a tenth of the points each; nothing at all, all, and more than all (bonus) have bins of their own
_LONGEST = 200  # characters of a message that is counted
_MOST_MESSAGES = 50  # different ones of a test: a class that all says something else says nothing in common
_LOOKS = {Status.TIMED_OUT: "timed_out", Status.CRASHED: "crashed", Status.REFUSED: "refused"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One task of one submission."""

    task: str
    earned: float
    points: float
    status: str


@dataclass(frozen=True, slots=True)
class StudentRow:
    """One submission. `link`: its page, relative to the class's; `looks`: why a person should look at it, with
    details.
    """

    student: str
    link: str
    status: str
    earned: float | None
    possible: float
    marks: tuple[Mark, ...]
    duration_s: float
    looks: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ItemTally:
    """How one item of a task's rubric went: `mean` of its points was earned."""

    item: str
    text: Text
    points: float
    mean: float


@dataclass(frozen=True)
class TaskTally:
    """How one task went: its status for each submission, counted; `share` is the mean of its points that was earned."""

    id: str
    title: Text
    points: float
    bonus: bool
    counts: Counter[str]
    share: float
    items: tuple[ItemTally, ...]


@dataclass(frozen=True)
class TestTally:
    """How one test went. `reason`: what it said most often where it failed, and how often that was."""

    __test__ = False  # no test of ours, whatever it is called

    id: str
    task: str
    claim: str
    item: str
    hidden: bool
    counts: Counter[Status]
    median_s: float
    longest_s: float
    slowest: str  # link of the submission that took longest
    reason: str
    reason_count: int

    @property
    def total(self) -> int:
        """The submissions that met this test."""
        return self.counts.total()

    @property
    def failed(self) -> int:
        """Those that did not pass it, functions not written yet left out."""
        return self.total - self.counts[Status.PASSED] - self.counts[Status.MISSING]


@dataclass(frozen=True)
class Alike:
    """Students whose code is near-identical: the least similarity (0 to 1) that joins them."""

    students: tuple[str, ...]
    similarity: float


@dataclass(frozen=True)
class ExerciseTally:
    """One exercise of a class."""

    slug: str
    title: Text
    possible: float
    rows: tuple[StudentRow, ...]
    tasks: tuple[TaskTally, ...]
    tests: tuple[TestTally, ...]
    alike: tuple[Alike, ...] = ()
    compared: int | None = None  # submissions whose code was compared; None where it was not

    @property
    def scores(self) -> list[float]:
        """Every score that was issued."""
        return [row.earned for row in self.rows if row.earned is not None]

    @property
    def bins(self) -> list[int]:
        """Submissions by their share of the points: none, ten bins up to less than all, all, more than all."""
        counts = [0] * (BINS + 3)
        for earned in self.scores:
            counts[_bin(earned, self.possible)] += 1
        return counts


def _bin(earned: float, possible: float) -> int:
    if earned <= 0:
        return 0
    if earned >= possible:
        return BINS + 1 + (earned > possible)
    return 1 + int(BINS * earned / possible)


class Tallies:
    """A tally an exercise, made of one report after the other."""

    def __init__(self) -> None:
        self._exercises: dict[str, _Exercise] = {}

    def add(self, link: str, report: Report) -> None:
        """Count a report, to whose page the link goes."""
        self._exercises.setdefault(report.exercise, _Exercise()).add(link, report)

    def all(self) -> tuple[ExerciseTally, ...]:
        """The tallies by slug; their rows by student, in whichever order the reports came."""
        return tuple(self._exercises[slug].tally(slug) for slug in sorted(self._exercises))


def tally(reports: Iterable[tuple[str, Report]]) -> tuple[ExerciseTally, ...]:
    """Reduce (link, report) pairs, in one pass, to one tally an exercise."""
    found = Tallies()
    for link, report in reports:
        found.add(link, report)
    return found.all()


@dataclass
class _Test:
    first: Outcome
    counts: Counter[Status] = field(default_factory=Counter)
    durations: array[float] = field(default_factory=lambda: array("f"))
    longest: tuple[float, str] = (-1.0, "")
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, link: str, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        if outcome.status is not Status.MISSING:
            self.durations.append(outcome.duration_s)
            self.longest = max(self.longest, (outcome.duration_s, link))
        words = clip(outcome.message.partition("\n")[0], _LONGEST)
        known = words in self.messages or len(self.messages) < _MOST_MESSAGES
        if outcome.status not in (Status.PASSED, Status.MISSING) and words and known:
            self.messages[words] += 1

    def tally(self) -> TestTally:
        first = self.first
        reason, count = min(self.messages.items(), key=lambda said: (-said[1], said[0]), default=("", 0))
        median = statistics.median(self.durations) if self.durations else 0.0
        return TestTally(
            first.test,
            first.task,
            first.claim or first.test,
            first.item,
            first.hidden,
            self.counts,
            median,
            max(0.0, self.longest[0]),
            self.longest[1],
            reason,
            count,
        )


@dataclass
class _Task:
    first: TaskScore
    counts: Counter[str] = field(default_factory=Counter)
    earned: array[float] = field(default_factory=lambda: array("d"))
    by_item: dict[str, float] = field(default_factory=dict)  # points earned in all

    def add(self, task: TaskScore) -> None:
        self.counts[task.status] += 1
        if task.status != "withheld":
            self.earned.append(task.earned)
            for item in task.items:
                self.by_item[item.item] = self.by_item.get(item.item, 0.0) + item.earned

    def tally(self) -> TaskTally:
        task, scored = self.first, len(self.earned) or 1
        items = tuple(
            ItemTally(item.item, item.text, item.points, self.by_item.get(item.item, 0.0) / scored)
            for item in task.items
        )
        share = _share(self.earned, task.points)
        return TaskTally(task.id, task.title, task.points, task.bonus, self.counts, share, items)


@dataclass
class _Exercise:
    title: Text = field(default_factory=dict)
    possible: float = 0.0
    rows: list[StudentRow] = field(default_factory=list)
    tasks: dict[str, _Task] = field(default_factory=dict)
    tests: dict[tuple[str, str], _Test] = field(default_factory=dict)

    def add(self, link: str, report: Report) -> None:
        self.title, self.possible = report.title, _full(report)
        self.rows.append(_row(link, report))
        if not any(task.tests for task in report.tasks):
            return  # no test met it: it says nothing about tasks
        for task in report.tasks:
            self.tasks.setdefault(task.id, _Task(task)).add(task)
            for outcome in task.tests:
                self.tests.setdefault((task.id, outcome.test), _Test(outcome)).add(link, outcome)

    def tally(self, slug: str) -> ExerciseTally:
        tasks = tuple(task.tally() for task in self.tasks.values())
        rows = tuple(sorted(self.rows, key=lambda row: row.student))
        return ExerciseTally(
            slug, self.title, self.possible, rows, tasks, tuple(t.tally() for t in self.tests.values())
        )


def _share(earned: Sequence[float], points: float) -> float:
    return statistics.fmean(earned) / points if earned and points else 0.0


def _full(report: Report) -> float:
    """The points of full marks; of an exercise that is bonus altogether, the bonus."""
    return report.possible or sum(task.points for task in report.tasks)


def _row(link: str, report: Report) -> StudentRow:
    marks = tuple(Mark(intern(task.id), task.earned, task.points, intern(task.status)) for task in report.tasks)
    return StudentRow(
        report.student, link, report.status, report.earned, _full(report), marks, report.duration_s, _looks(report)
    )


def _looks(report: Report) -> tuple[tuple[str, str], ...]:
    """(why, details) for a person: no score, nothing to read, no isolation, or tests that ended in an odd way."""
    found: list[tuple[str, str]] = []
    if report.status in ("withheld", "unreadable"):
        found.append((report.status, clip(report.reason, _LONGEST)))
    if report.isolation == "none":
        found.append(("unisolated", ""))
    outcomes = [test for task in report.tasks for test in task.tests]
    for status, why in _LOOKS.items():
        found += [(why, _told(tests))] if (tests := [test for test in outcomes if test.status is status]) else []
    return tuple(found)


def _told(tests: Sequence[Outcome]) -> str:
    """The tasks that are concerned, and what the first of their tests said."""
    tasks = ", ".join(dict.fromkeys(test.task for test in tests))
    return f"{tasks}: {clip(tests[0].message.partition(chr(10))[0], _LONGEST)}"
