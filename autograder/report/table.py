"""What `check()` shows below a notebook cell, and as plain text wherever there is no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from autograder.records import Outcome, Status, TaskScore
from autograder.report.labels import LABELS, MARKS, TONES, Labels
from autograder.report.text import LINE_LIMIT, as_html, checked_language, clip, in_language, number, one_line, visible

_CELL_LIMIT = 2000  # characters of one diagnostic in a table's cell
# JupyterLab drops the style sheet of somebody else's notebook, and sets cells flush right
_LEFT = 'style="text-align:left"'


@dataclass(frozen=True, repr=False)
class CheckResult:
    """The public tests of the checked tasks, and what they are worth so far.

    Shows itself in a notebook (`_repr_mimebundle_`) and reads as plain text in `str` and `repr`.
    `tasks` hold public outcomes only. `notes` are sentences below the table ("simulated device: not run
    here").
    """

    tasks: tuple[TaskScore, ...]
    language: str = "en"
    notes: tuple[str, ...] = ()

    @property
    def earned(self) -> float:
        """Points so far, bonus included."""
        return sum(task.earned for task in self.tasks)

    @property
    def possible(self) -> float:
        """Points of the checked tasks, without the bonus."""
        return sum(task.points for task in self.tasks if not task.bonus)

    @property
    def unchecked(self) -> float:
        """Points of the checked tasks, without the bonus, for what has no test that runs here."""
        return sum(_unchecked(task) for task in self.tasks if not task.bonus)

    @property
    def passed(self) -> bool:
        """Whether there were tests, and every one of them passed."""
        outcomes = [test for task in self.tasks for test in task.tests]
        return bool(outcomes) and all(test.status is Status.PASSED for test in outcomes)

    def __str__(self) -> str:
        return check_text(self)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows: the table as HTML, and the same as text for clients without HTML."""
        return {"text/html": check_html(self), "text/plain": check_text(self)}


def check_text(result: CheckResult) -> str:
    """The check table as plain text, one test a line, with the reason and the hint below a failing one."""
    labels = LABELS[checked_language(result.language)]
    lines = [line for task in result.tasks for line in _task_lines(task, result.language, labels)]
    if not lines:
        lines = [labels["nothing_to_check"]]
    else:
        lines += [_total(result, labels), labels["hidden_join"]]
    return "\n".join(lines + [visible(clip(note)) for note in result.notes])


def check_html(result: CheckResult) -> str:
    """The check table as an HTML fragment: escaped, no script, at home in a light and a dark notebook."""
    labels = LABELS[checked_language(result.language)]
    notes = "".join(f"<br>{as_html(clip(note))}" for note in result.notes)
    if not result.tasks:
        return f'<div class="ptqlab-check"><p>{labels["nothing_to_check"]}{notes}</p></div>'
    bodies = "".join(_task_rows(task, result.language, labels) for task in result.tasks)
    total = f"<strong>{as_html(_total(result, labels))}</strong> {labels['hidden_join']}{notes}"
    return (
        f'<div class="ptqlab-check"><style>{_style()}</style>'
        f'<table aria-label="{labels["check_title"]}">{bodies}</table><p class="total">{total}</p></div>'
    )


@cache
def _style() -> str:
    """The table's style sheet on one line: every check stores it in the notebook once more."""
    text = (Path(__file__).parent / "templates" / "check.css").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)).strip()


def _total(result: CheckResult, labels: Labels) -> str:
    points = _out_of(result.earned, result.possible) if result.possible else number(result.earned)
    gap = labels["not_checked"].format(points=number(result.unchecked)) if result.unchecked else ""
    return f"{labels['so_far']}: {points}{gap}"


def _unchecked(task: TaskScore) -> float:
    return sum(item.points for item in task.items if item.status == "unchecked")


def _out_of(earned: float, possible: float) -> str:
    return f"{number(earned)} / {number(possible)}"


def _heading(task: TaskScore, language: str) -> str:
    bonus = f" ({LABELS[language]['bonus']})" if task.bonus else ""
    return f"{one_line(task.id)} {one_line(in_language(task.title, language))}{bonus}"


def _untouched(task: TaskScore) -> bool:
    """Nothing of this task is written yet: one line says so, instead of one a test."""
    return bool(task.tests) and all(test.status is Status.MISSING for test in task.tests)


def _why(test: Outcome, labels: Labels) -> str:
    """The diagnostic; of a function that is not written yet, only what its stub says."""
    if test.status is Status.PASSED:
        return ""
    message = visible(clip(test.message, _CELL_LIMIT))
    if test.status is Status.GRADER_ERROR:  # all tests here are public, so its text may be shown, and reported
        return f"{labels['ours']}\n{message}"
    return message.partition("\n")[0] if test.status is Status.MISSING else message


def _claim(test: Outcome) -> str:
    return visible(clip(test.claim or test.test, LINE_LIMIT))


def _ends_failures(task: TaskScore, test: Outcome) -> bool:
    """Whether this is the task's last test that failed: the hint follows it."""
    failed = [other for other in task.tests if other.status not in {Status.PASSED, Status.MISSING}]
    return bool(failed) and failed[-1] is test


def _hint(task: TaskScore, test: Outcome, language: str) -> str:
    """The hint below a test: its own, and below the task's last failure else the task's."""
    text = test.hint or (task.hint if _ends_failures(task, test) else {})
    return visible(in_language(text, language)) if text else ""


def _task_lines(task: TaskScore, language: str, labels: Labels) -> Iterator[str]:
    yield f"{_heading(task, language)}  ({_out_of(task.earned, task.points)})"
    if not _untouched(task):
        yield from (f"    {line}" for line in _item_lines(task, labels))
    if _untouched(task):
        yield f"  {MARKS[Status.MISSING]} {labels['test_missing']}"
    for test in () if _untouched(task) else task.tests:
        yield f"  {MARKS[test.status]} {labels[f'test_{test.status}']}: {_claim(test)}"
        yield from (f"      {line}" for line in _why(test, labels).splitlines())
        if hint := _hint(task, test, language):
            yield f"      {labels['hint']}: {hint}"
    yield ""


def _item_lines(task: TaskScore, labels: Labels) -> Iterator[str]:
    """The rubric: "values 1.2 / 2.4, in part"."""
    for item in task.items:
        yield f"{_item_name(item.item, labels)} {_out_of(item.earned, item.points)}, {labels[item.status]}"


def _task_rows(task: TaskScore, language: str, labels: Labels) -> str:
    heading = (
        f'<tr class="task"><th colspan="2" scope="rowgroup" {_LEFT}>{as_html(_heading(task, language))}</th>'
        f'<th class="points">{_out_of(task.earned, task.points)}</th></tr>'
    )
    if _untouched(task):
        rows = f'<tr><td class="mark" {_LEFT}>{_chip(Status.MISSING, labels)}</td><td colspan="2"></td></tr>'
    else:
        rows = _items_row(task, language, labels)
        rows += "".join(_test_row(task, test, language, labels) for test in task.tests)
    return f"<tbody>{heading}{rows}</tbody>"


def _item_name(item: str, labels: Labels) -> str:
    return labels.get(f"item_{item}", one_line(item))


def _items_row(task: TaskScore, language: str, labels: Labels) -> str:
    """The rubric on one line; what an item asks is said where a pointer rests on it."""
    items = (
        f'<span class="item" title="{escape(visible(in_language(item.text, language)))}">{as_html(line)}</span>'
        for item, line in zip(task.items, _item_lines(task, labels), strict=True)
    )
    return f'<tr><td colspan="3" {_LEFT}>{" · ".join(items)}</td></tr>' if task.items else ""


def _test_row(task: TaskScore, test: Outcome, language: str, labels: Labels) -> str:
    first, _, rest = _why(test, labels).partition("\n")
    why = f"<div>{as_html(first)}</div>" if first else ""
    values = f"<pre>{escape(rest)}</pre>" if rest.strip() else ""
    item = f' <span class="item">{as_html(_item_name(test.item, labels))}</span>'
    text = _hint(task, test, language)
    hint = f"<details><summary>{labels['hint']}</summary>{as_html(text)}</details>" if text else ""
    return (
        f'<tr class="{TONES[test.status]}"><td class="mark" {_LEFT}>{_chip(test.status, labels)}</td>'
        f'<td colspan="2" {_LEFT}><span class="claim">{as_html(_claim(test))}</span>{item}{why}{values}{hint}</td></tr>'
    )


def _chip(status: Status, labels: Labels) -> str:
    return f'<span class="chip {TONES[status]}">{MARKS[status]} {labels[f"test_{status}"]}</span>'
