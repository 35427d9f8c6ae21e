"""From pytest-json-report's record to outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from autograder.records import VALUES, Exercise, Outcome, Status

PUBLIC, HIDDEN = "test_public.py", "test_hidden.py"


def outcomes_of(
    exercise: Exercise, ran: Sequence[tuple[str, dict[str, Any]]], errors: Sequence[str]
) -> tuple[Outcome, ...]:
    """Outcomes from the JSON record; what was to run and is not in it, or did not run, is our own error."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for nodeid, entry in ran:
        runs.setdefault(nodeid.split("[", 1)[0], []).append(entry)
    found = _hinted(exercise, [_merged(nodeid, entries) for nodeid, entries in runs.items()])
    return (*found, *_withholding(exercise, errors))


def _hinted(exercise: Exercise, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Return the outcomes; the first of an item that did not pass carries the item's hint."""
    hints = {(task.id, item.item): item.hint for task in exercise.tasks for item in task.rubric if item.hint}
    for outcome in outcomes:
        failed = outcome.status is not Status.PASSED
        yield replace(outcome, hint=hints.pop((outcome.task, outcome.item), {})) if failed else outcome


def _withholding(exercise: Exercise, errors: Sequence[str]) -> Iterator[Outcome]:
    for error in errors:
        for task in exercise.tasks:
            yield Outcome("collection", task.id, VALUES, True, Status.GRADER_ERROR, "The tests can be loaded.", error)


def _merged(nodeid: str, entries: list[dict[str, Any]]) -> Outcome:
    """One test's outcome over all its devices: the first that did not pass speaks."""
    file, _, name = nodeid.rpartition("::")
    single = [(status_of(entry), entry) for entry in entries]
    status, entry = next(((s, e) for s, e in single if s is not Status.PASSED), single[0])
    facts = entry.get("metadata", {})
    duration = sum(e.get(phase, {}).get("duration", 0.0) for _, e in single for phase in ("setup", "call", "teardown"))
    message = facts.get("message", "") if status is not Status.PASSED else ""
    if "[" in entry.get("nodeid", "") and "[cpu]" not in entry["nodeid"] and message:
        message = f"on the {entry['nodeid'].rpartition('[')[2].rstrip(']')} device: {message}"
    task, item = (
        next((e["metadata"][k] for _, e in single if k in e.get("metadata", {})), "") for k in ("task", "item")
    )
    claim = next((e["metadata"]["claim"] for _, e in single if "claim" in e.get("metadata", {})), name)
    test = f"{file.rpartition('/')[2]}::{name}"
    return Outcome(test, task, item, file.endswith(HIDDEN), status, claim, message, round(duration, 4))


def status_of(entry: dict[str, Any]) -> Status:
    """Passed only when the test's own phase ran and passed and nothing else went wrong."""
    facts = entry.get("metadata", {})
    if entry.get("outcome") == "passed" and entry.get("call", {}).get("outcome") == "passed" and "status" not in facts:
        return Status.PASSED
    return Status(facts["status"]) if "status" in facts else Status.GRADER_ERROR
