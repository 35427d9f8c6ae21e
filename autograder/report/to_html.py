"""The report that a student is sent: one HTML file without scripts or outside resources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from autograder.records import Outcome, Report, Status, TaskScore, Text
from autograder.report.labels import LABELS, MARKS, TONES, Labels
from autograder.report.text import (
    LINE_LIMIT,
    MESSAGE_LIMIT,
    as_html,
    checked_language,
    clip,
    in_language,
    number,
    one_line,
    visible,
)

_OPEN_LIMIT = 40  # tests of one task that are spelled out; a report stays a page that opens

_BANNER_TONES = {
    "full": "good",
    "graded": "plain",
    "partial": "part",
    "unreadable": "bad",
    "withheld": "ours",
}


class _Banner(NamedTuple):
    """What the page says first: how the grading ended, and what to make of it."""

    tone: str
    sentence: str
    advice: str


@dataclass(frozen=True)
class _TaskView:
    """What the page shows of one task."""

    score: TaskScore
    anchor: str  # of its section; empty when it has none, because no test was run
    percent: int  # of its points, 0 to 100
    failing: tuple[Outcome, ...]
    more_failing: int  # that are not spelled out
    waiting: tuple[Outcome, ...]  # tests of functions that are not written yet
    all_waiting: int
    passed: tuple[Outcome, ...]
    waiting_items: bool  # an item is complete, but `values` is not: it earns nothing yet
    hint: Text  # where something of the student's own is left to do


def report_to_html(report: Report, language: str = "en") -> str:
    """The whole page for one student, titles, hints and labels in `language` ("en" or "zh-TW").

    All that comes from a submission is escaped, clipped, and freed of characters that hide or reorder text.
    Raises PtqlabError for another language.
    """
    labels = LABELS[checked_language(language)]
    return _template().render(
        report=report,
        language=language,
        t=labels,
        tasks=[_view(place, task) for place, task in enumerate(report.tasks, start=1)],
        reason=_reason(report),
        banner=_banner(report, labels),
        marks=MARKS,
        tones=TONES,
        MESSAGE=MESSAGE_LIMIT,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        autoescape=True,  # always, whatever a template is called
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "pick": in_language,
        "number": number,
        "name": one_line,
        "words": _words,
        "prose": _prose,
    }
    return environment.get_template("report.html.jinja")


def _finalize(value: Any) -> Any:
    """The last step of every `{{ … }}`: no template can forget to make text visible."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _prose(text: str, limit: int = LINE_LIMIT) -> Markup:
    """A sentence, clipped, whose `code` is set as code."""
    return Markup(as_html(clip(text, limit)))


def _words(message: str) -> tuple[Markup, str]:
    """A diagnostic's first line, which is a sentence, and the rest, which is data and keeps its columns."""
    first, _, rest = clip(message, MESSAGE_LIMIT).partition("\n")
    return Markup(as_html(first)), rest.strip("\n")


def _view(place: int, task: TaskScore) -> _TaskView:
    rank = {item.item: number for number, item in enumerate(task.items)}
    by_item = sorted(task.tests, key=lambda test: rank.get(test.item, len(rank)))
    passed = tuple(test for test in by_item if test.status is Status.PASSED)
    waiting = tuple(test for test in by_item if test.status is Status.MISSING)
    failing = tuple(test for test in by_item if test.status not in {Status.PASSED, Status.MISSING})
    return _TaskView(
        score=task,
        anchor=f"task-{place}" if task.tests else "",
        percent=round(100 * min(1.0, max(0.0, task.earned / task.points))) if task.points else 0,
        failing=failing[:_OPEN_LIMIT],
        more_failing=len(failing[_OPEN_LIMIT:]),
        waiting=waiting[:_OPEN_LIMIT],
        all_waiting=len(waiting),
        passed=passed,
        waiting_items=any(item.status == "waiting" for item in task.items),
        hint=task.hint if waiting or any(test.status is not Status.GRADER_ERROR for test in failing) else {},
    )


def _banner(report: Report, labels: Labels) -> _Banner:
    total = sum(len(task.tests) for task in report.tasks)
    passed = _count(report, Status.PASSED)
    key = "full" if report.status == "graded" and 0 < total == passed else report.status
    advice = labels[f"do_{key}"].format(passed=passed, total=total)
    return _Banner(_BANNER_TONES[key], labels[f"banner_{key}"], advice)


def _reason(report: Report) -> str:
    """The report's reason, unless it quotes an error of the grader's own, which may hold hidden values."""
    return "" if _count(report, Status.GRADER_ERROR) else report.reason


def _count(report: Report, status: Status) -> int:
    return sum(test.status is status for task in report.tasks for test in task.tests)
