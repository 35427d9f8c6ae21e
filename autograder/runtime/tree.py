"""The recursion over lists, tuples and dicts: change their items, or list them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return new lists, tuples and dicts like those of `tree`, with `function(item)` for each item that is none.

    Keys stay as they are. An object of a subclass (a named tuple, an OrderedDict) counts as an item.
    """
    kind = type(tree)
    if kind is list or kind is tuple:
        return kind([tree_map(function, item) for item in tree])
    if kind is dict:
        return {key: tree_map(function, item) for key, item in tree.items()}
    return function(tree)


def tree_items(tree: Any) -> Iterator[Any]:
    """Yield what lists, tuples and dicts hold, those of subclasses included; keys are not items."""
    if isinstance(tree, list | tuple | dict):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from tree_items(item)
    else:
        yield tree
