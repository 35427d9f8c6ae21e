"""A report as JSON and back, exactly: what is stored is what is believed when a class is rescored."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Literal

import msgspec

from autograder.records import ItemScore, Outcome, PtqlabError, Report, TaskScore
from autograder.runtime.schema import checked, struct_of

FORMAT = 2
"""Version of the file format; raised when a key changes its meaning."""

_TEST = 4  # levels above a test or an item: report, tasks, task, tests or items
_STORED = struct_of(
    Report,
    kinds={
        (Report, "status"): Literal["graded", "partial", "unreadable", "withheld"],
        (TaskScore, "status"): Literal["full", "partial", "none", "missing", "refused", "withheld"],
        (ItemScore, "status"): Literal["full", "partial", "none", "waiting", "unchecked", "withheld"],
    },
    keys={(Outcome, "test"): "id"},
)


def report_to_json(report: Report) -> str:
    """One report as indented JSON text, a line for each test; `report_from_json` gives back an equal report."""
    text = _indented({"format": FORMAT, **msgspec.to_builtins(checked(_STORED, report, "report"))})
    # lone surrogates (from undecodable file names) have no UTF-8; JSON can spell them
    return re.sub("[\ud800-\udfff]", lambda hit: f"\\u{ord(hit[0]):04x}", text) + "\n"


def _indented(value: Any, depth: int = 0) -> str:
    """JSON with two spaces a level, down to the tests of a task; json's own indenting is Python, and slow."""
    if depth == _TEST or not isinstance(value, dict | list | tuple) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = [_indented(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
    if isinstance(value, dict):
        inner = [f"{json.dumps(key, ensure_ascii=False)}: {text}" for key, text in zip(value, inner, strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    between = "\n" + "  " * (depth + 1)
    return f"{start}{between}{(',' + between).join(inner)}{between[:-2]}{end}"


def report_from_json(text: str) -> Report:
    """The report that `report_to_json` wrote.

    Raises PtqlabError, naming the place, when a key is missing, unknown, twice there, or of the wrong type,
    when a status is unknown, when the format is another, or when `earned` is null without the score being
    withheld.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_number)
    except RecursionError:
        raise _unfit("it is nested too deeply") from None
    except ValueError as error:
        raise _unfit(f"it is not valid JSON ({error})") from None
    version = data.pop("format", "no format at all") if isinstance(data, dict) else type(data).__name__
    if version != FORMAT or isinstance(version, bool):
        older = ", of a ptqlab whose tests belonged to no rubric item" if version == 1 and version is not True else ""
        raise _unfit(f"expected a report of format {FORMAT}, got {version!r}{older}")
    try:
        report = checked(Report, checked(_STORED, data, "report"), "report")
    except ValueError as error:
        raise _unfit(str(error)) from None
    _check_agreement(report)
    return report


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a key stands there twice")
    return data


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _check_agreement(report: Report) -> None:
    """Refuse what no type says: a score beside "withheld", a test in another task."""
    if (report.earned is None) != (report.status == "withheld"):
        raise _unfit("report.earned must be null when the score is withheld, and only then")
    for index, task in enumerate(report.tasks):
        if stray := [test.test for test in task.tests if test.task != task.id]:
            raise _unfit(f"report.tasks[{index}] holds {stray[0]!r}, which belongs to another task")


def _unfit(why: str) -> PtqlabError:
    return PtqlabError(f"This report cannot be used: {why}. Grade the submission again to write a new one.")
