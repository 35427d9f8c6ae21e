"""What one process keeps from one submission to the next: a single object, bounded, that can be emptied.

A function whose values are worth keeping is decorated with `STATE.keep`, which is the one way to keep anything.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ProcessState:
    """The kept values of decorated functions, by their arguments."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: list[tuple[OrderedDict[Hashable, Any], Callable[[Any], None]]] = []

    def keep(
        self, most: int, close: Callable[[Any], None] = lambda value: None
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Keep a function's values for the `most` arguments used last; `close` is called with each dropped value."""

        def decorate(function: Callable[P, T]) -> Callable[P, T]:
            values: OrderedDict[Hashable, T] = OrderedDict()
            self._kept.append((values, close))

            @wraps(function)
            def keeping(*args: P.args, **kwargs: P.kwargs) -> T:
                key = (args, *sorted(kwargs.items()))
                with self._lock:  # two threads that ask at the same time get the same value
                    if key not in values:
                        values[key] = function(*args, **kwargs)
                    values.move_to_end(key)
                    _drop(values, most, close)
                    return values[key]

            return keeping

        return decorate

    def clear(self) -> None:
        """Drop every kept value."""
        with self._lock:
            for values, close in self._kept:
                _drop(values, 0, close)


def _drop(values: OrderedDict[Hashable, T], most: int, close: Callable[[Any], None]) -> None:
    while len(values) > most:
        close(values.popitem(last=False)[1])


STATE = ProcessState()
