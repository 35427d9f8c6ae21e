"""What a reply must look like before it is believed: exact keys and types, and no words of the worker's own.

A report shows some of what a reply says (which argument changed, the name of a type, a refused function), also for
hidden tests. A submission knows the hidden tests' inputs while it is called; it could write them into such words. So
only words that this end could have said itself pass, and of types a few: two thousand names to choose from are eleven
bits.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch

from autograder.runtime.dispatcher import no_facts
from autograder.runtime.tree import tree_items, tree_map
from autograder.runtime.wire import HandleRef

MOST_PROBLEMS, MOST_REFUSED, MOST_LETTERS = 20, 100, 2000  # more than a worker of ours ever says
FACTS = {"mutated", "syncs", "device_ops", "moved_elements", "refused"}
COUNTS = ("syncs", "device_ops", "moved_elements")
FAILURE = {"kind", "builtin", "named", "text"}
KINDS = {"raised", "missing", "undefined", "refused", "jailed"}
OTHER_CLASS = "object of another class"
OTHER_TENSOR = "torch.Tensor (sparse, quantized or of a rare dtype)"
MODULE = "torch.nn.Module"
READY_MADE = "a ready-made quantizer"
LIBRARIES = ("torch", "torchao", "neural_compressor", "onnxruntime", "optimum", "bitsandbytes", "hqq", "modelopt")
NAMED = {
    *("NoneType", "bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "dict", "set"),
    *("function", "generator", "type", "numpy.ndarray"),
}  # types that are called by their names


def answers(reply: object, number: int) -> bool:
    """Whether it is a dict with that request's number; tensors and bools are no numbers."""
    return type(reply) is dict and type(reply.get("id")) is int and reply["id"] == number


def is_load(reply: dict[str, Any]) -> bool:
    """Whether it is the answer to `load`."""
    problems = reply.get("problems")
    return reply.keys() == {"id", "problems"} and type(problems) is list and _are_words(problems, MOST_PROBLEMS, 500)


def _are_words(words: Sequence[object], most: int, letters: int) -> bool:
    return len(words) <= most and all(type(word) is str and len(word) <= letters for word in words)


def is_sound(reply: dict[str, Any], request: dict[str, Any]) -> bool:
    """Whether it has exactly the form that dispatcher.py gives the answer to this request."""
    facts, failure = reply.get("facts"), reply.get("failure")
    return (
        reply.keys() == {"id", "value", "failure", "facts"}
        and (facts is None or _are_facts(facts, request))
        and (failure is None or _is_failure(failure))
    )


def _are_facts(facts: object, request: dict[str, Any]) -> bool:
    return (
        type(facts) is dict
        and facts.keys() == FACTS
        and all(type(facts[name]) is int and facts[name] >= 0 for name in COUNTS)
        and all(type(facts[k]) is tuple and all(type(t) is str for t in facts[k]) for k in ("mutated", "refused"))
        and set(facts["mutated"]) <= _argument_names(request)
    )


def _is_failure(failure: object) -> bool:
    return (
        type(failure) is dict
        and failure.keys() == FAILURE
        and _are_words([failure[name] for name in ("kind", "builtin", "text")], 3, MOST_LETTERS)
        and type(failure["named"]) is bool
        and failure["kind"] in KINDS
    )


def _argument_names(request: dict[str, Any]) -> set[str]:
    positions = {f"argument {index + 1}" for index in range(len(request["args"]))}
    return positions | {f"argument {name!r}" for name in request["kwargs"]}


def handles(request: dict[str, Any]) -> Iterator[int]:
    """The numbers of all objects that a request speaks of."""
    if request["target"]:
        yield request["target"]
    items = tree_items((request["args"], request["kwargs"]))
    yield from (item.number for item in items if isinstance(item, HandleRef))


def in_our_words(reply: dict[str, Any]) -> dict[str, Any]:
    """A sound reply whose names of types are of the few, and whose refused functions are such as exist."""
    facts, failure = reply["facts"] or no_facts(), reply["failure"]
    if failure and failure["kind"] == "refused":
        failure = failure | {"text": READY_MADE}
    refused = tuple(name if _is_known_function(name) else READY_MADE for name in _first_words(facts["refused"]))
    return reply | {
        "value": tree_map(_named, reply["value"]),
        "facts": facts | {"refused": refused},
        "failure": failure,
    }


def _first_words(words: tuple[str, ...]) -> Sequence[str]:
    """The first ones, each once: a worker of ours never says more."""
    return tuple(dict.fromkeys(word[:500] for word in words[:MOST_REFUSED]))


def _named(item: Any) -> Any:
    return HandleRef(item.number, _type_in_our_words(item.type_name)) if isinstance(item, HandleRef) else item


def _type_in_our_words(name: str) -> str:
    if name in NAMED:
        return name
    if name.startswith("torch.Tensor ("):
        return OTHER_TENSOR
    module, _, kind = name.rpartition(".")
    named = _attribute(sys.modules.get(module), kind)
    return MODULE if isinstance(named, type) and issubclass(named, torch.nn.Module) else OTHER_CLASS


def _is_known_function(name: str) -> bool:
    library, *parts = name.split(".")
    if parts[:1] == ["ops"] and library == "torch":
        return tuple(parts[1:]) in _operators()
    named: Any = sys.modules.get(library) if library in LIBRARIES else None
    for part in parts:
        named = _attribute(named, part)
    return callable(getattr(named, "__func__", named) if isinstance(named, staticmethod | classmethod) else named)


def _attribute(owner: object, name: str) -> Any:
    """What a module or class has under a name now; never asked for it, since modules import, or make, what they are
    asked for.
    """
    if isinstance(owner, type):
        return next((vars(kind)[name] for kind in owner.__mro__ if name in vars(kind)), None)
    return vars(owner).get(name) if isinstance(owner, types.ModuleType) else None


@cache
def _operators() -> frozenset[tuple[str, ...]]:
    """Namespace and name of every operator that torch has here; torch.ops makes what it does not have."""
    full_names = torch._C._dispatch_get_all_op_names()
    return frozenset(
        (space, name.partition(".")[0]) for space, _, name in (full.partition("::") for full in full_names)
    )
