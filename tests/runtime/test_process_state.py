"""A process keeps a bounded number of values, gives each out again, and can be emptied."""

from __future__ import annotations

import ast
import threading

import pytest
from support import ROOT

from autograder.runtime.process_state import ProcessState


def test_a_value_is_made_once_and_the_values_used_last_are_kept() -> None:
    state, made = ProcessState(), []

    @state.keep(2)
    def doubled(number: int) -> list[int]:
        made.append(number)
        return [2 * number]

    assert doubled(1) is doubled(1)
    for number in (2, 1, 3, 1, 2):  # 3 takes the place of 2, which was not used for longest
        assert doubled(number) == [2 * number]
    assert made == [1, 2, 3, 2]


def test_clearing_drops_the_values_of_every_function_and_closes_them() -> None:
    state, closed, made = ProcessState(), [], []

    @state.keep(1, closed.append)
    def opened(name: str) -> str:
        return name

    @state.keep(8)
    def doubled(number: int) -> int:
        made.append(number)
        return 2 * number

    opened("a"), opened("b"), doubled(number=1)
    assert closed == ["a"], "its place was needed"
    state.clear()
    assert closed == ["a", "b"]
    doubled(number=1)
    assert made == [1, 1]


def test_a_function_that_raises_keeps_nothing() -> None:
    state, tries = ProcessState(), []

    @state.keep(8)
    def fails_at_first(number: int) -> float:
        tries.append(number)
        return 1 / (len(tries) - 1)

    with pytest.raises(ZeroDivisionError):
        fails_at_first(0)
    assert fails_at_first(0) == 1


def test_threads_that_ask_at_the_same_time_get_the_same_value() -> None:
    """Two pools of grading processes in one Dask worker would use its machine twice."""
    state, made, values = ProcessState(), [], []
    second_made_one = threading.Event()
    second = threading.Thread(target=lambda: values.append(slow()))

    @state.keep(1)
    def slow() -> object:
        made.append(threading.current_thread())
        if made[0] is threading.current_thread():
            second.start()
            second_made_one.wait(0.2)  # it can't, while this one is being made
        else:
            second_made_one.set()
        return object()

    values.append(slow())
    second.join()
    assert values[0] is values[1]
    assert len(made) == 1


@pytest.mark.parametrize("room", ["grading", "pool"])
def test_these_rooms_keep_nothing_unbounded_outside_the_state(room: str) -> None:
    """An empty dictionary or list of a module is there to be filled, and a cache without a size grows with the class."""
    unbounded = []
    for path in sorted((ROOT / "autograder" / room).glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_empty = ast.unparse(getattr(node, "value", None) or node) in ("{}", "[]", "set()", "dict()", "list()")
            if is_empty or "cache" in map(ast.unparse, getattr(node, "decorator_list", [])):
                unbounded.append(f"{path.name}:{node.lineno}")
    assert unbounded == []
