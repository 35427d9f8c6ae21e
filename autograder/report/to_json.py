"""A report as JSON and back, exactly: what is stored is what is believed when a class is rescored."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from autograder.records import Outcome, PtqlabError, Report, TaskScore

FORMAT = 2
"""Version of the file format; raised when a key changes its meaning."""

REPORT_STATUSES = frozenset({"graded", "partial", "unreadable", "withheld"})
TASK_STATUSES = frozenset({"full", "partial", "none", "missing", "refused", "withheld"})
ITEM_STATUSES = frozenset({"full", "partial", "none", "waiting", "unchecked", "withheld"})

_TEST = 4  # levels above a test or an item: report, tasks, task, tests or items
_PLAIN = (str, float, int, bool, type(None))  # in JSON as they are
# Where the file's word differs from the field's name.
_KEYS: Mapping[tuple[type, str], str] = {(Outcome, "test"): "id"}


def report_to_json(report: Report) -> str:
    """One report as indented JSON text, a line for each test; `report_from_json` gives back an equal report."""
    text = _indented({"format": FORMAT, **_plain(report)})
    # lone surrogates (from undecodable file names) have no UTF-8; JSON can spell them
    return re.sub("[\ud800-\udfff]", lambda hit: f"\\u{ord(hit[0]):04x}", text) + "\n"


def _indented(value: Any, depth: int = 0) -> str:
    """JSON with two spaces a level, down to the tests of a task; json's own indenting is Python, and slow."""
    if depth == _TEST or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = [_indented(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
    if isinstance(value, dict):
        inner = [f"{json.dumps(key, ensure_ascii=False)}: {text}" for key, text in zip(value, inner, strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    between = "\n" + "  " * (depth + 1)
    return f"{start}{between}{(',' + between).join(inner)}{between[:-2]}{end}"


def report_from_json(text: str) -> Report:
    """The report that `report_to_json` wrote.

    Raises PtqlabError, naming the key, when a key is missing, unknown, twice there, or of the wrong type,
    when a status is unknown, when the format is another, or when `earned` is null without the score being
    withheld.
    """
    data = _parsed(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT or isinstance(data.get("format"), bool):
        came = data.get("format", "no format at all") if isinstance(data, dict) else type(data).__name__
        older = ", of a ptqlab whose tests belonged to no rubric item" if came == 1 and type(came) is int else ""
        raise _unfit(f"expected a report of format {FORMAT}, got {came!r}{older}")
    del data["format"]
    report = typing.cast(Report, _loaded(Report, data, "report"))
    _check_statuses(report)
    return report


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if dataclasses.is_dataclass(kind):
        return {key: _plain(getattr(value, name)) for key, name in _keys(kind).items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, StrEnum) else value


@cache
def _keys(kind: type) -> dict[str, str]:
    """A noun's fields by their keys in the file; looked up once, not once an outcome."""
    return {_KEYS.get((kind, field.name), field.name): field.name for field in dataclasses.fields(kind)}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except PtqlabError:
        raise
    except RecursionError:
        raise _unfit("it is nested too deeply") from None
    except ValueError as error:
        raise _unfit(f"it is not valid JSON ({error})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise _unfit("a key stands there twice")
    return data


def _no_constant(name: str) -> Any:
    raise _unfit(f"{name} is not a number that a report can hold")


def _loaded(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotation `kind` says, or an error that names the place."""
    if dataclasses.is_dataclass(kind):
        return _loaded_noun(typing.cast(type, kind), value, where)
    if isinstance(kind, types.UnionType):  # only X | None
        return None if value is None else _loaded(typing.get_args(kind)[0], value, where)
    origin = typing.get_origin(kind)
    if origin is tuple:
        items = _expect(value, list, where)
        return tuple(_loaded(typing.get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if origin is not None:  # Mapping[str, str]
        texts = _expect(value, dict, where)
        return {key: _loaded(typing.get_args(kind)[1], item, f"{where}.{key}") for key, item in texts.items()}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _member(kind, _expect(value, str, where), where)
    return _expect(value, kind, where)


def _loaded_noun(kind: type, value: Any, where: str) -> Any:
    data = _expect(value, dict, where)
    hints, keys = _shape(kind)
    if missing := [key for key in keys if key not in data]:
        raise _unfit(f"{where} has no {missing[0]!r}")
    if unknown := [key for key in data if key not in keys]:
        raise _unfit(f"{where} has an unknown key {unknown[0]!r}")
    return kind(**{name: _loaded(hints[name], data[key], f"{where}.{key}") for key, name in keys.items()})


@cache
def _shape(kind: type) -> tuple[dict[str, Any], dict[str, str]]:
    """A noun's annotations, and its fields by their keys in the file."""
    return typing.get_type_hints(kind), _keys(kind)


def _member(kind: type[StrEnum], value: str, where: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise _unfit(f"{where} is {value!r}, expected one of {', '.join(kind)}") from None


def _expect(value: Any, kind: type, where: str) -> Any:
    wanted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise _unfit(f"{where} is {type(value).__name__}, expected {kind.__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _unfit(f"{where} is not finite")
    return value


def _check_statuses(report: Report) -> None:
    if report.status not in REPORT_STATUSES:
        raise _unfit(f"report.status is {report.status!r}, expected one of {', '.join(sorted(REPORT_STATUSES))}")
    if (report.earned is None) != (report.status == "withheld"):
        raise _unfit("report.earned must be null when the score is withheld, and only then")
    for index, task in enumerate(report.tasks):
        _check_task(task, f"report.tasks[{index}]")


def _check_task(task: TaskScore, where: str) -> None:
    if task.status not in TASK_STATUSES:
        raise _unfit(f"{where}.status is {task.status!r}, expected one of {', '.join(sorted(TASK_STATUSES))}")
    for index, item in enumerate(task.items):
        if item.status not in ITEM_STATUSES:
            known = ", ".join(sorted(ITEM_STATUSES))
            raise _unfit(f"{where}.items[{index}].status is {item.status!r}, expected one of {known}")
    if stray := [test.test for test in task.tests if test.task != task.id]:
        raise _unfit(f"{where} holds {stray[0]!r}, which belongs to another task")


def _unfit(why: str) -> PtqlabError:
    return PtqlabError(f"This report cannot be used: {why}. Grade the submission again to write a new one.")
