"""One way through lists, tuples and dicts: what is a container, what is an item, and what stays as it is."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest

from autograder.runtime.tree import tree_items, tree_map

Pair = namedtuple("Pair", "first second")
TREE = {"a": [1, (2, {3: 4})], "b": (), "c": [], "d": {}, (5,): 6}


def test_each_item_is_replaced_and_every_container_keeps_its_kind_and_its_keys() -> None:
    assert tree_map(str, TREE) == {"a": ["1", ("2", {3: "4"})], "b": (), "c": [], "d": {}, (5,): "6"}
    assert list(tree_map(str, TREE)) == list(TREE)


def test_containers_are_new_and_their_items_the_same() -> None:
    item, inner = object(), [1]
    tree = {"a": inner, "b": (inner, item)}
    copy = tree_map(lambda each: each, tree)
    inner.append(2)
    assert copy["a"] == copy["b"][0] == [1]
    assert copy["b"][1] is item


@pytest.mark.parametrize("value", [Pair([1], 2), OrderedDict(a=[1]), "ab", None, range(2), {1, 2}])
def test_what_is_no_plain_container_is_one_item_to_a_map(value: Any) -> None:
    assert tree_map(lambda item: (type(item), item), [value]) == [(type(value), value)]


def test_items_are_found_in_containers_of_subclasses_too_and_keys_are_none() -> None:
    assert list(tree_items([TREE, Pair([7], 8), OrderedDict(a=[9])])) == [1, 2, 4, 6, 7, 8, 9]
    assert list(tree_items("ab")) == ["ab"]
