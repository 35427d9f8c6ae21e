"""From pytest-json-report's record to outcomes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from support.rubrics import rubric

from autograder.records import Exercise, Limits, Task
from autograder.testing.outcomes import outcomes_of

HINT = {"en": "Zero has no logarithm."}


def entry(item: str, outcome: str, task: str = "1.1") -> dict[str, Any]:
    status = {} if outcome == "passed" else {"status": "failed"}
    return {"outcome": outcome, "call": {"outcome": outcome}, "metadata": {"task": task, "item": item, **status}}


def test_an_items_hint_follows_its_first_failure_and_no_other_items() -> None:
    """The first test of an item that did not pass carries the item's hint, once, whatever the test is called."""
    values, errors = rubric(values=60, errors=40)
    tasks = [Task(name, {}, ("f",), 1, {}, (replace(values, hint=HINT), errors)) for name in ("1.1", "1.2")]
    ran = [
        ("test_public.py::test_a", entry("values", "passed")),
        ("test_public.py::test_b", entry("errors", "failed")),
        ("test_hidden.py::test_c", entry("values", "failed")),
        ("test_hidden.py::test_d", entry("values", "failed")),
        ("test_hidden.py::test_e", entry("values", "failed", task="1.2")),
    ]
    outcomes = outcomes_of(Exercise("01_x", {}, tuple(tasks), Limits(), Path()), ran, [])
    assert [(outcome.test[-1], outcome.hint) for outcome in outcomes if outcome.hint] == [("c", HINT), ("e", HINT)]
