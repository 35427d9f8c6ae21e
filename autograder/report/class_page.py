"""A class's page: one HTML file, readable offline, whose only script sorts and searches its table."""

from __future__ import annotations

import base64
import hashlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from autograder.records import Fate, Status
from autograder.report.class_data import BINS, Alike, ExerciseTally, Mark, StudentRow, TaskTally, TestTally
from autograder.report.class_labels import CLASS_LABELS
from autograder.report.labels import LABELS, Labels
from autograder.report.text import checked_language, in_language, number, one_line
from autograder.report.to_html import _finalize, _prose

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_FAILED = 12  # tests that are shown without being asked for
_MOST_SLOW = 8
_FEW = 200  # rows that the table shows at first; a script shows all that a search or a button asks for
_MOST_FILES = 500  # of one fate that are named; intake.json has them all
_FATES = (
    "nobody's",
    "withheld",
    "unreadable",
    "earlier attempt",
    "same code as",
    "as handed out",
    "ignored",
    "graded",
)
_MOST_NAMED = 60  # students of one group that are named

# the parts of a task's and a test's bar, from the left, each with its colour
_TASK_PARTS = (
    ("full", "good"),
    ("partial", "part"),
    ("none", "bad"),
    ("refused", "refused"),
    ("missing", "calm"),
    ("withheld", "ours"),
)
_TEST_PARTS = (
    ("passed", "good", (Status.PASSED,)),
    ("failed", "bad", (Status.FAILED,)),
    ("cut", "part", (Status.TIMED_OUT, Status.CRASHED)),
    ("refused", "refused", (Status.REFUSED,)),
    ("missing", "calm", (Status.MISSING,)),
    ("grader_error", "ours", (Status.GRADER_ERROR,)),
)


class Part(NamedTuple):
    """A piece of a bar: its colour, its share in percent, and what it is."""

    tone: str
    percent: float
    label: str
    number: int


@dataclass(frozen=True)
class TableCell:
    """A number in the big table. `heat`: 0 to 10, "" for none."""

    text: str
    heat: str
    title: str
    link: str = ""


@dataclass(frozen=True)
class Line:
    """A student in the big table; `link` is empty where each cell has one of its own."""

    student: str
    link: str
    cells: tuple[TableCell, ...]
    total: str
    status: str
    tone: str
    seconds: str


@dataclass(frozen=True)
class Section:
    """What the page says of one exercise."""

    tally: ExerciseTally
    mean: str
    median: str
    full_marks: int
    unscored: int
    looking: int
    bins: tuple[Part, ...]
    tasks: tuple[tuple[TaskTally, tuple[Part, ...]], ...]
    failing: tuple[tuple[TestTally, tuple[Part, ...]], ...]
    tests: tuple[tuple[TestTally, tuple[Part, ...]], ...]
    slowest: tuple[TestTally, ...]
    looks: tuple[tuple[str, tuple[tuple[StudentRow, str], ...]], ...]


def class_to_html(
    tallies: Sequence[ExerciseTally],
    language: str = "en",
    *,
    least: float = 0.9,
    can_compare: bool = True,
    possible: float = math.inf,
    fates: Sequence[Fate] = (),
    notes: Sequence[str] = (),
) -> str:
    """The whole page, titles and labels in `language` ("en" or "zh-TW").

    `least` is the similarity from which on code counts as near-identical; `can_compare` is False where the library
    for it is missing; `possible` are the course's points, beyond which bonus adds nothing to a total. `fates` and
    `notes` say what became of the files that came in. All text of submissions is escaped, clipped, and freed of
    characters that hide or reorder text; the page's policy lets no script run but its own. Raises PtqlabError for
    another language.
    """
    labels = {**LABELS[checked_language(language)], **CLASS_LABELS[language]}
    script = _script()
    columns, lines = _table(tallies, labels, possible)
    return _template().render(
        t=labels,
        language=language,
        sections=[_section(tally, labels) for tally in tallies],
        links=[{row.student: row.link for row in tally.rows} for tally in tallies],
        columns=columns,
        lines=lines,
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        fates=_by_what(fates),
        notes=notes,
        most_files=_MOST_FILES,
        least=least,
        can_compare=can_compare,
        most_named=_MOST_NAMED,
        few=_FEW,
        legend=[(labels[key], tone) for key, tone, _ in _TEST_PARTS[:-1]],  # the grader's own errors are not expected
    )


@cache
def _script() -> str:
    return (_TEMPLATES / "class.js").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "pick": in_language,
        "number": number,
        "name": one_line,
        "prose": _prose,
        "percent": _percent,
        "similarity": _similarity,
    }
    return environment.get_template("class.html.jinja")


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def _similarity(group: Alike) -> str:
    """Rounded down: 99.9 % is not 100 %."""
    return f"{int(1000 * group.similarity) / 10:g} %"


def _section(tally: ExerciseTally, labels: Labels) -> Section:
    scores = tally.scores
    tests = [(test, _test_parts(test, labels)) for test in tally.tests]
    ranked = sorted(tests, key=lambda pair: -pair[0].failed / pair[0].total)
    return Section(
        tally=tally,
        mean=number(statistics.fmean(scores), 1) if scores else "–",
        median=number(statistics.median(scores), 1) if scores else "–",
        full_marks=sum(score >= tally.possible for score in scores),
        unscored=len(tally.rows) - len(scores),
        looking=sum(bool(row.looks) for row in tally.rows),
        bins=_bins(tally, labels),
        tasks=tuple((task, _task_parts(task, labels)) for task in tally.tasks),
        failing=tuple(pair for pair in ranked if pair[0].failed)[:_MOST_FAILED],
        tests=tuple(tests),
        slowest=tuple(sorted(tally.tests, key=lambda test: -test.longest_s)[:_MOST_SLOW]),
        looks=_looks(tally),
    )


def _bins(tally: ExerciseTally, labels: Labels) -> tuple[Part, ...]:
    """The histogram's bars, relative to the highest; the bin of bonus points only where there are any."""
    counts = tally.bins
    names = [f"{100 * at // BINS}–{100 * (at + 1) // BINS} %" for at in range(BINS)]
    names = [labels["nothing_earned"], *names, labels["all_earned"], labels["more_earned"]]
    shown = counts if counts[-1] else counts[:-1]
    highest = max(shown) or 1
    return tuple(Part("", 100 * count / highest, name, count) for name, count in zip(names, shown, strict=False))


def _task_parts(task: TaskTally, labels: Labels) -> tuple[Part, ...]:
    return _parts([(labels[status], tone, task.counts[status]) for status, tone in _TASK_PARTS])


def _test_parts(test: TestTally, labels: Labels) -> tuple[Part, ...]:
    counted = [(key, tone, sum(test.counts[status] for status in statuses)) for key, tone, statuses in _TEST_PARTS]
    return _parts([(labels[key], tone, count) for key, tone, count in counted])


def _parts(counted: Sequence[tuple[str, str, int]]) -> tuple[Part, ...]:
    total = sum(count for _, _, count in counted) or 1
    return tuple(Part(tone, round(100 * count / total, 3), label, count) for label, tone, count in counted if count)


def _looks(tally: ExerciseTally) -> tuple[tuple[str, tuple[tuple[StudentRow, str], ...]], ...]:
    """Why, and who: the rows that a person should look at, the gravest first."""
    whys = ("withheld", "unreadable", "unisolated", "refused", "crashed", "timed_out")
    found = {why: tuple((row, how) for row in tally.rows for own, how in row.looks if own == why) for why in whys}
    return tuple((why, rows) for why, rows in found.items() if rows)


def _by_what(fates: Sequence[Fate]) -> tuple[tuple[str, tuple[Fate, ...]], ...]:
    """What became of the files, first what a person has to decide."""
    found = {what: tuple(fate for fate in fates if fate.what == what) for what in _FATES}
    return tuple((what, files) for what, files in found.items() if files)


# --- the table ----------------------------------------------------------------------------------


def _table(tallies: Sequence[ExerciseTally], labels: Labels, possible: float) -> tuple[list[str], list[Line]]:
    """A class's one exercise has a column a task; several have a column each."""
    if len(tallies) == 1:
        columns = list(dict.fromkeys(mark.task for row in tallies[0].rows for mark in row.marks))
        return columns, [_line(row, columns, labels) for row in tallies[0].rows]
    students: dict[str, dict[str, StudentRow]] = {}
    for tally in tallies:
        for row in tally.rows:
            students.setdefault(row.student, {})[tally.slug] = row
    columns = [tally.slug for tally in tallies]
    return columns, [_course_line(name, students[name], columns, labels, possible) for name in sorted(students)]


def _line(row: StudentRow, columns: Sequence[str], labels: Labels) -> Line:
    marks = {mark.task: mark for mark in row.marks}
    cells = tuple(_task_cell(marks.get(column), row, labels) for column in columns)
    return Line(row.student, row.link, cells, _score(row), *_status(row.status, labels), number(row.duration_s, 1))


def _task_cell(mark: Mark | None, row: StudentRow, labels: Labels) -> TableCell:
    if mark is None:
        return TableCell("", "", "")
    if row.earned is None or mark.status == "withheld":
        return TableCell("?", "", labels["withheld"])
    earned, points = number(mark.earned), number(mark.points)
    title = labels["points_of"].format(earned=earned, points=points, status=labels[mark.status])
    if mark.status == "missing":
        return TableCell("·", "", title)
    return TableCell(earned, _heat(mark.earned, mark.points), title)


def _course_line(
    student: str, rows: dict[str, StudentRow], columns: Sequence[str], labels: Labels, possible: float
) -> Line:
    cells = tuple(_exercise_cell(rows.get(column), labels) for column in columns)
    scores = [row.earned for row in rows.values()]
    total = "?" if None in scores else number(min(possible, sum(score or 0.0 for score in scores)))
    worst = max((row.status for row in rows.values()), key=("graded", "partial", "unreadable", "withheld").index)
    seconds = number(sum(row.duration_s for row in rows.values()), 1)
    return Line(student, "", cells, total, *_status(worst, labels), seconds)


def _exercise_cell(row: StudentRow | None, labels: Labels) -> TableCell:
    if row is None:
        return TableCell("", "", "")
    heat = "" if row.earned is None else _heat(row.earned, row.possible)
    status = _status(row.status, labels)[0]
    title = labels["points_of"].format(earned=_score(row), points=number(row.possible), status=status)
    return TableCell(_score(row), heat, title, row.link)


def _heat(earned: float, points: float) -> str:
    return str(round(10 * min(1.0, max(0.0, earned / points)))) if points else ""


def _score(row: StudentRow) -> str:
    return "?" if row.earned is None else number(row.earned)


def _status(status: str, labels: Labels) -> tuple[str, str]:
    """The status in words, and its colour."""
    return labels[f"status_{status}"], {"graded": "plain", "partial": "part", "unreadable": "bad", "withheld": "ours"}[
        status
    ]
