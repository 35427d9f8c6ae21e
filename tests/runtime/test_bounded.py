"""A process's cache holds so much and no more, ends what it drops, and can be emptied."""

from __future__ import annotations

from autograder.runtime.bounded import Bounded


def test_the_value_that_was_put_in_longest_ago_is_dropped_first() -> None:
    dropped: list[str] = []
    cache = Bounded[str](2, drop=dropped.append)
    for key in ("a", "b", "a", "c"):
        cache.put(key, key.upper())
    assert (dropped, len(cache)) == (["B"], 2)
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]


def test_a_value_that_is_taken_is_gone_and_not_dropped() -> None:
    dropped: list[str] = []
    cache = Bounded[str](2, drop=dropped.append)
    cache.put("a", "A")
    assert (cache.take("a"), cache.take("a"), dropped) == ("A", None, [])


def test_clearing_drops_every_value() -> None:
    dropped: list[int] = []
    cache = Bounded[int](3, drop=dropped.append)
    for number in range(3):
        cache.put(number, number)
    cache.clear()
    assert (sorted(dropped), len(cache)) == ([0, 1, 2], 0)
