"""A dataclass's struct is as strict in what lies deep in it as at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import pytest

from autograder.runtime.schema import checked, struct_of


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    weight: float = 1.0


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    top: Leaf | None
    by_name: Mapping[str, Leaf] = field(default_factory=dict)


LEAF = {"id": "a", "weight": 2}
DATA = {"leaves": [LEAF], "top": None, "by_name": {"a": LEAF}}
STORED = struct_of(Tree, {(Leaf, "name"): Literal["a", "b"]}, {(Leaf, "name"): "id"})


def test_data_become_the_dataclass_and_the_same_data_again() -> None:
    tree = checked(Tree, checked(STORED, DATA, "tree"), "tree")
    assert tree == Tree((Leaf("a", 2.0),), None, {"a": Leaf("a", 2.0)})
    written = msgspec.to_builtins(checked(STORED, tree, "tree"))
    assert written == {**DATA, "leaves": (LEAF,)}


@pytest.mark.parametrize(
    "data, words",
    [
        ({"leaves": []}, "object missing required field `top` at tree"),
        ({**DATA, "bark": 1}, "object contains unknown field `bark` at tree"),
        ({**DATA, "leaves": [{**LEAF, "name": "a"}]}, "object contains unknown field `name` at tree.leaves[0]"),
        ({**DATA, "leaves": [LEAF, {"id": "a"}]}, "object missing required field `weight` at tree.leaves[1]"),
        ({**DATA, "top": {"id": "a"}}, "object missing required field `weight` at tree.top"),
        ({**DATA, "by_name": {"a": {"id": "a"}}}, "object missing required field `weight` at tree.by_name[...]"),
        ({**DATA, "top": {"id": "c", "weight": 1.0}}, "invalid enum value 'c' at tree.top.id"),
        ({**DATA, "top": {"id": "a", "weight": True}}, "expected `float`, got `bool` at tree.top.weight"),
        ([], "expected `object`, got `array` at tree"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(data: Any, words: str) -> None:
    with pytest.raises(ValueError) as refusal:
        checked(STORED, data, "tree")
    assert str(refusal.value) == words
