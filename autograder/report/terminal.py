"""The scoreboard and the progress of a class: rich on a terminal, plain lines in a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from autograder.records import Report, TaskScore
from autograder.report.text import clip, number, one_line, visible_line

_TONES = {
    "full": "green",
    "partial": "yellow",
    "none": "red",
    "refused": "red",
    "missing": "dim",
    "withheld": "magenta",
}
_STATUS_TONES = {"graded": "", "partial": "yellow", "unreadable": "red", "withheld": "bold magenta"}
_STUDENT_WIDTH = 28  # columns; a CJK character takes two


def scoreboard(reports: Sequence[Report]) -> RenderableType:
    """One table an exercise, for `Console.print`: student, a cell per task, total, status; then the counts.

    A cell holds the points earned; "·" is a task not written yet, "?" one withheld.
    """
    parts: list[RenderableType] = [_table(group) for group in _by_exercise(reports)]
    return Group(*parts, Text(), Text(summary(reports)), *_legend(reports))


def _legend(reports: Sequence[Report]) -> list[Text]:
    """What the signs mean, when there are any."""
    statuses = {task.status for report in reports for task in report.tasks}
    signs = {"missing": "· not written yet", "withheld": "? withheld"}
    meanings = [words for status, words in signs.items() if status in statuses]
    return [Text(", ".join(meanings), style="dim")] if meanings else []


def scoreboard_lines(reports: Sequence[Report]) -> list[str]:
    """The scoreboard where there is no terminal: one line a submission, the same words, no colour."""
    width = max((cell_len(_student(report)) for report in reports), default=0)
    lines = [_plain_line(report, width) for group in _by_exercise(reports) for report in group]
    return [*lines, summary(reports)]


def print_scoreboard(reports: Sequence[Report], console: Console) -> None:
    """Print the table on a terminal, and the plain lines elsewhere."""
    if console.is_terminal:
        console.print(scoreboard(reports))
    else:
        print_lines(scoreboard_lines(reports), console)


def print_lines(lines: Iterable[str], console: Console) -> None:
    """Print lines as they are: no markup, no wrapping, spelled out where the encoding lacks a character."""
    for line in lines:
        shown = line.encode(console.encoding, "backslashreplace").decode(console.encoding)
        console.print(Text(shown), soft_wrap=True, highlight=False)


def summary(reports: Sequence[Report]) -> str:
    """How many submissions there are, and how they ended: "14 submissions: 12 graded, 2 withheld"."""
    counts = Counter(report.status for report in reports)
    noun = "submission" if len(reports) == 1 else "submissions"
    parts = [f"{counts[status]} {status}" for status in _STATUS_TONES if counts[status]]
    return f"{len(reports)} {noun}" + (f": {', '.join(parts)}" if parts else "")


class _Rate(ProgressColumn):
    """Submissions a second, or a minute where a second is too short."""

    def render(self, task: Task) -> Text:
        """What is known by now, of the last half minute."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("-/s")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.0f}/min")


class ClassProgress:
    """How far a class is: a bar with rate and time left on a terminal, elsewhere one plain line per finished
    submission.

    Use as a context manager, and call `finished` with each report. Reports that need a person (unreadable or
    withheld) also stay on the terminal as a line above the bar.
    """

    def __init__(self, total: int, console: Console | None = None) -> None:
        self._total = total
        self._done = 0
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("Grading"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.update(self._task, description="")
        self._bar.stop()

    def finished(self, report: Report) -> None:
        """Count one submission as done."""
        self._done += 1
        line = f"{one_line(report.student)} {one_line(report.exercise)}: {_result(report)}"
        if not self._console.is_terminal:
            print_lines([f"[{self._done}/{self._total}] {line}{_reason(report)}"], self._console)
            return
        if report.status in {"unreadable", "withheld"}:
            self._console.print(Text(line + _reason(report), style=_STATUS_TONES[report.status]))
        self._bar.update(self._task, advance=1, description=_fit(line, 40))


def _by_exercise(reports: Sequence[Report]) -> list[list[Report]]:
    ordered = sorted(reports, key=lambda report: (report.exercise, report.student))
    return [[r for r in ordered if r.exercise == name] for name in dict.fromkeys(r.exercise for r in ordered)]


def _task_ids(group: Sequence[Report]) -> list[str]:
    return list(dict.fromkeys(task.id for report in group for task in report.tasks))


def _table(group: Sequence[Report]) -> Table:
    table = Table(title=Text(one_line(group[0].exercise)), title_justify="left", box=None, pad_edge=False)
    # rich narrows columns that may wrap before those that may not: long names give way, points never do
    table.add_column("student", min_width=8, max_width=_STUDENT_WIDTH)
    tasks = _task_ids(group)
    for task in tasks:
        table.add_column(Text(one_line(task)), justify="right", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for report in group:
        found = {task.id: task for task in report.tasks}
        cells = [_cell(found[task]) if task in found else Text("") for task in tasks]
        table.add_row(
            Text(_student(report), no_wrap=True, overflow="ellipsis"), *cells, _total(report), _status(report)
        )
    return table


def _cell(task: TaskScore) -> Text:
    return Text(_points(task), style=_TONES.get(task.status, ""))


def _points(task: TaskScore) -> str:
    if task.status == "withheld":
        return "?"
    return "·" if task.status == "missing" else number(task.earned)


def _total(report: Report) -> Text:
    return Text(_score(report), style="bold" if report.earned is not None else "bold magenta")


def _score(report: Report) -> str:
    earned = "?" if report.earned is None else number(report.earned)
    return f"{earned}/{number(report.possible)}" if report.possible else f"{earned} bonus"


def _status(report: Report) -> Text:
    unjailed = " (no isolation)" if report.isolation == "none" else ""
    return Text(one_line(report.status) + unjailed, style=_STATUS_TONES.get(report.status, ""))


def _result(report: Report) -> str:
    return f"{_score(report)} {_status(report).plain}"


def _reason(report: Report) -> str:
    return f" ({visible_line(clip(report.reason, 200))})" if report.reason else ""


def _student(report: Report) -> str:
    return _fit(one_line(report.student), _STUDENT_WIDTH)


def _fit(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _plain_line(report: Report, width: int) -> str:
    name = set_cell_size(_student(report), width)
    tasks = " ".join(f"{one_line(task.id)}={_points(task).replace('·', '-')}" for task in report.tasks)
    return f"{name}  {one_line(report.exercise)}  {_result(report)}  {tasks}".rstrip()
