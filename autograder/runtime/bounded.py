"""A cache of one process: bounded, and emptied by one call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Bounded(Generic[T]):
    """At most `most` values by key. A new one displaces the one that was put in longest ago; `drop` ends that."""

    def __init__(self, most: int, drop: Callable[[T], object] = lambda value: None) -> None:
        self._most, self._drop = most, drop
        self._values: dict[Hashable, T] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> T | None:
        """Return the value of a key, or None."""
        return self._values.get(key)

    def take(self, key: Hashable) -> T | None:
        """Return the value of a key, or None, and keep it no longer."""
        return self._values.pop(key, None)

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value, as the newest."""
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._most:
            self._drop(self._values.pop(next(iter(self._values))))

    def clear(self) -> None:
        """Drop every value."""
        while self._values:
            self._drop(self._values.popitem()[1])
