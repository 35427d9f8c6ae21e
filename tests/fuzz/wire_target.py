"""Frames from a hostile worker: the decoder, and what the grader asks of a reply before it believes it."""

from __future__ import annotations

import math
from typing import Any

import msgpack
import torch
from bounds import Bounds, Broken
from drawn import Drawn
from support.wire_values import believed

from autograder.runtime import wire
from autograder.runtime.tree import tree_items
from autograder.runtime.wire import HandleRef
from autograder.sandbox import replies, worker_main

REQUEST = {"op": "call", "target": None, "name": "f", "args": (1, 2), "kwargs": {"bits": 8}}
DTYPES = (*wire.DTYPES, "complex64", "qint8", "float31", "")
DEVICES = ("cpu", "cpu", "cpu", "sim", "meta", "cuda", "tpu", "")
NUMBERS = (0, 1, 2, 3, 7, -1, 2**31, 2**39, 2**40, 2**63 - 1, -(2**63), 2**64 - 1)
WORDS = (
    "",
    "a",
    "f",
    "value",
    "id",
    "torch.Tensor (float32, strided)",
    "numpy.ndarray",
    "int",
    "torch.ops.aten.add",
    "torch.quantize_per_tensor",
    "ff",
    "-ff",
    "0x_f",
    "f" * wire.MAX_DIGITS,
    "raised",
    "ValueError",
    "bits",
    "\x1b[2J",
)
TAGS = ("l", "t", "d", "T", "h", "y", "v", "i")


def one(data: bytes) -> None:
    """Decode one frame made of `data`: plain values come out, or WireError."""
    drawn = Drawn(data)
    header, body = _frame(drawn)
    with Bounds():
        try:
            value = wire.decode(header, body, worker_main.wrap)
        except wire.WireError as error:
            if "\n" in str(error) or len(str(error)) > 200:
                raise Broken(f"a refusal is not one sentence: {error!r}") from None
            return
        check(value, len(body))


def check(value: Any, body_size: int) -> None:
    """What holds of every value that is believed."""
    if not believed(value):
        raise Broken(f"a value of no plain kind came through: {value!r:.200}")
    if sum(tensor.numel() * tensor.element_size() for tensor in _tensors(value)) != body_size:
        raise Broken("tensors hold more or less than the frame's bytes")
    if replies.answers(value, 1) and replies.is_sound(value, REQUEST):
        told = replies.in_our_words(value)
        if not believed(told) or any(
            name.type_name == "evil" for name in tree_items(told) if isinstance(name, HandleRef)
        ):
            raise Broken("words of the worker's own came through")
    first = _bytes(value)
    again = wire.decode(*first, worker_main.wrap) if first else value
    if first and _bytes(again) != first:
        raise Broken(f"a value that was believed does not cross a second time: {value!r:.200}")


def _bytes(value: Any) -> tuple[bytes, bytes] | None:
    """A value's frame; None for an int of more digits than the encoder sends."""
    try:
        data = b"".join(wire.encode(value, worker_main.unwrap))
    except TypeError:
        return None
    header, _ = wire.PREFIX.unpack(data[: wire.PREFIX.size])
    return data[wire.PREFIX.size :][:header], data[wire.PREFIX.size + header :]


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if type(value) is dict:
        return [tensor for item in value.values() for tensor in _tensors(item)]
    return [tensor for item in value for tensor in _tensors(item)] if type(value) in (list, tuple) else []


def _frame(drawn: Drawn) -> tuple[bytes, bytes]:
    """A header and a body: bytes as they come, or built and perhaps damaged."""
    kind = drawn.below(4)
    if kind == 0:
        size = drawn.below(256)
        rest = drawn.rest()
        return rest[:size], rest[size:]
    sizes: list[int] = []
    tree = _reply(drawn, sizes) if kind == 1 else _tree(drawn, sizes, 0)
    header = msgpack.packb(tree, unicode_errors="surrogatepass")
    surplus = drawn.pick((0, 0, 0, 0, 0, 0, 1, -1))
    size = min(max(0, sum(sizes) + surplus), 4096)
    return drawn.damage(header) if kind == 3 else header, (drawn.rest() * size)[:size].ljust(size, b"\x01")


def _reply(drawn: Drawn, sizes: list[int]) -> Any:
    """What dispatcher.py answers, or nearly."""
    value = _tree(drawn, sizes, 0)
    texts = ["t", [drawn.pick(WORDS) for _ in range(drawn.below(3))]]
    facts = [["mutated", ["t", []]], ["syncs", drawn.pick(NUMBERS[:4])], ["device_ops", 0], ["moved_elements", 0]]
    failure = [
        "d",
        [*([key, drawn.pick(WORDS)] for key in ("kind", "builtin", "text")), ["named", drawn.pick((True, False, 1))]],
    ]
    parts = [
        ["id", 1],
        ["value", value],
        ["failure", drawn.pick((None, failure))],
        ["facts", ["d", [*facts, ["refused", texts]]]],
    ]
    if drawn.below(8) == 1:
        parts[drawn.below(4)][drawn.below(2)] = _tree(drawn, sizes, 0)
    return ["d", parts]


def _tree(drawn: Drawn, sizes: list[int], depth: int) -> Any:
    """A header's tree; `sizes` gets the bytes that its tensors claim."""
    if depth > 30 or drawn.at > len(drawn.data):
        return None
    kind = drawn.below(24)
    if kind >= 16:
        return _tagged(drawn, TAGS[kind - 16], sizes, depth)
    if kind >= 12:
        return _tagged(drawn, drawn.pick(("l", "t", "d", "T")), sizes, depth)
    match kind:
        case 0 | 1 | 2:
            return drawn.pick((None, True, False, 0, 1, 2, 1.0, -0.0, math.nan, math.inf, b"", b"\xff"))
        case 3:
            return drawn.pick(NUMBERS)
        case 4:
            return drawn.number(8)
        case 5 | 6:
            return drawn.pick(WORDS)
        case 7:
            return drawn.take(12)
        case 8:
            return drawn.text(12)
        case 9:
            return [_tree(drawn, sizes, depth + 1) for _ in range(drawn.below(4))]
        case 10:
            return drawn.pick((msgpack.ExtType(1, b"x"), {"a": 1}, {}, msgpack.Timestamp(1, 2)))
    value = _tree(drawn, sizes, depth + 1)
    for _ in range(drawn.below(32)):
        value = [drawn.pick(("l", "t")), [value]]
    return value


def _tagged(drawn: Drawn, tag: str, sizes: list[int], depth: int) -> Any:
    match tag:
        case "l" | "t":
            items = [_tree(drawn, sizes, depth + 1) for _ in range(drawn.below(6))]
            return [tag, items]
        case "d":
            pairs = [[_key(drawn, sizes, depth + 1), _tree(drawn, sizes, depth + 1)] for _ in range(drawn.below(4))]
            return [tag, pairs]
        case "T":
            return _tensor(drawn, sizes)
        case "h":
            return [tag, drawn.pick(NUMBERS), drawn.pick((*WORDS, "evil"))]
        case "y":
            return [tag, drawn.pick(DTYPES)]
        case "v":
            return [tag, drawn.pick((*DEVICES, "cuda:1", "cpu:999", drawn.text(6)))]
    return [tag, drawn.pick((*WORDS, drawn.text(8)))]


def _key(drawn: Drawn, sizes: list[int], depth: int) -> Any:
    return drawn.pick(WORDS) if drawn.below(2) else _tree(drawn, sizes, depth)


def _tensor(drawn: Drawn, sizes: list[int]) -> Any:
    """A claim of a tensor; half of them are such as an honest worker's."""
    honest = drawn.below(2)
    choices: tuple[Any, ...] = NUMBERS[:5] if honest else (*NUMBERS, True, 1.0, None, "2")
    shape = [drawn.pick(choices) for _ in range(drawn.below(4 if honest else 20))]
    name = drawn.pick(DTYPES[: len(wire.DTYPES)] if honest else DTYPES)
    dtype = wire.DTYPES.get(name)
    if dtype is not None and all(type(n) is int and 0 <= n < 2**40 for n in shape):
        sizes.append(math.prod(shape) * dtype.itemsize)
    return ["T", name, shape, drawn.pick(DEVICES[:3] if honest else DEVICES)]
