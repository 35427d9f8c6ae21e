"""Frames between the grader and the worker: a msgpack header and the raw bytes of its tensors.

Both ends use this file; the decoder believes nothing. Only plain data has a form on the wire:
None, bool, int, float, str, bytes, list, tuple, dict, torch.dtype, torch.device, dense tensors, strided ones (dense
values and the layout to give them), and handles (numbers that stand for objects which stay in the worker).

Layout: `!IQ` header length, body length; header (msgpack); body (the tensors' bytes, in the order in
which the header names them). Containers and everything that msgpack has no type for are tagged lists.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import torch

from autograder.runtime.layouts import Strided, span

PREFIX = struct.Struct("!IQ")
MAX_HEADER = 2 << 20
SMALL = 1 << 18
MAX_NODES = 100_000
VALUE_DEPTH = 24  # levels of lists and dicts in one value
MAX_DEPTH = VALUE_DEPTH + 2  # and those of the message around it
MAX_TEXT = 1 << 20
MAX_ODD_KEYS = (
    1000  # of one dict that are no strings: numbers and tuples can be chosen to have one hash, which makes a dict slow
)
MAX_RANK = 16
MAX_SPAN = 1 << 30  # elements of memory that a strided tensor reaches over
MAX_DIGITS = 2000  # hexadecimal digits of an int that msgpack has no form for

DTYPES: dict[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    )
}
_NUMPY = {dtype: np.dtype(name) for name, dtype in DTYPES.items() if name != "bfloat16"}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
OTHER_DTYPES = {
    name: getattr(torch, name)
    for name in ("uint16", "uint32", "uint64", "complex64", "complex128", "qint8", "quint8", "qint32")
}


class WireError(Exception):
    """A frame that the decoder does not believe."""


@dataclass(frozen=True)
class HandleRef:
    """An object that stays in the worker: its number there and the name of its type."""

    number: int
    type_name: str


Wrap = Callable[[torch.Tensor, str], torch.Tensor]
"""Puts a CPU tensor on the device of that name ("cpu", "sim", "cuda:0")."""
Unwrap = Callable[[torch.Tensor], tuple[torch.Tensor, str]]
"""The CPU values of a tensor, and the name of the device where it lived."""


def encode(message: object, unwrap: Unwrap) -> list[bytes | memoryview]:
    """Turn a message into the chunks of one frame; `TypeError` for what has no form on the wire."""
    body: list[memoryview] = []
    header = msgpack.packb(_encode(message, body, unwrap, 0), use_bin_type=True)
    return [PREFIX.pack(len(header), sum(map(len, body))), header, *body]


def frame(message: object, unwrap: Unwrap) -> list[bytes | memoryview]:
    """The frame of a message as few chunks: a small one is a single write."""
    chunks = encode(message, unwrap)
    return [b"".join(chunks)] if sum(map(len, chunks)) <= SMALL else chunks


def parse(frame: bytes, wrap: Wrap) -> Any:
    """Turn one whole frame, whose lengths were believed when it was read, back into a message. Raises `WireError`."""
    header_size = PREFIX.unpack_from(frame)[0]
    body = memoryview(frame)[PREFIX.size + header_size :]
    return decode(frame[PREFIX.size : PREFIX.size + header_size], body, wrap)


def decode(header: bytes, body: bytes | bytearray | memoryview, wrap: Wrap) -> Any:
    """Turn one frame back into a message; every claim in it is checked first. Raises `WireError`."""
    try:
        tree = msgpack.unpackb(
            header,
            raw=False,
            strict_map_key=True,
            ext_hook=_no_extensions,
            max_map_len=0,
            max_array_len=MAX_NODES,
            max_str_len=MAX_TEXT,
            max_bin_len=len(header),
            max_ext_len=0,
        )
        decoder = _Decoder(memoryview(body), wrap)
        message = decoder.value(tree, 0)
    except WireError:
        raise
    except Exception as error:  # whatever a hostile frame makes the parsers say, it is one thing to us
        raise WireError(f"the frame can't be parsed ({type(error).__name__})") from None
    if decoder.offset != len(body):
        raise WireError("the frame carries bytes that no tensor claims")
    return message


def _no_extensions(code: int, data: bytes) -> Any:
    raise WireError("extension types are not part of the wire")


_AS_IS = frozenset((type(None), bool, float, str, bytes))


def _encode(value: Any, body: list[memoryview], unwrap: Unwrap, depth: int) -> object:
    kind = type(value)
    if kind in _AS_IS:
        return value
    if depth >= MAX_DEPTH and kind in (list, tuple, dict):
        raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
    if kind is int:
        return value if -(2**63) <= value < 2**63 else ["i", _digits(value)]
    if kind is dict:
        if sum(type(k) is not str for k in value) > MAX_ODD_KEYS:
            raise TypeError(f"a dict with more than {MAX_ODD_KEYS} keys that are no strings has no form on the wire")
        return [
            "d",
            [[_encode_key(k, body, unwrap, depth), _encode(v, body, unwrap, depth + 1)] for k, v in value.items()],
        ]
    if kind is list or kind is tuple:
        return ["l" if kind is list else "t", [_encode(v, body, unwrap, depth + 1) for v in value]]
    if isinstance(value, torch.Tensor):
        return _encode_tensor(value, body, unwrap)
    if isinstance(value, Strided):
        return ["S", _encode_tensor(value.values, body, unwrap), list(value.shape), list(value.strides)]
    if isinstance(value, HandleRef):
        return ["h", value.number, value.type_name]
    if isinstance(value, torch.dtype):
        return ["y", str(value).removeprefix("torch.")]
    if isinstance(value, torch.device):
        return ["v", str(value)]
    raise TypeError(f"a {type(value).__name__} has no form on the wire")


def _encode_key(key: object, body: list[memoryview], unwrap: Unwrap, depth: int) -> object:
    if type(key) is str:
        return key
    if not _is_key(key):
        raise TypeError("a dict with keys that are no plain values has no form on the wire")
    return _encode(key, body, unwrap, depth + 1)


def _digits(value: int) -> str:
    if value.bit_length() > 4 * MAX_DIGITS:
        raise TypeError(f"an int of more than {MAX_DIGITS} digits has no form on the wire")
    return f"{value:x}"


def _encode_tensor(tensor: torch.Tensor, body: list[memoryview], unwrap: Unwrap) -> object:
    plain, device = unwrap(tensor)
    body.append(raw_bytes(plain))
    return ["T", NAMES[plain.dtype], list(plain.shape), device]


def raw_bytes(plain: torch.Tensor) -> memoryview:
    """The bytes of a dense CPU tensor in row-major order; numpy looks at them for a tenth of what torch takes."""
    if plain.requires_grad:
        plain = plain.detach()
    if plain.dtype is torch.bfloat16:  # numpy has none
        plain = plain.contiguous().view(torch.int16)
    return np.ascontiguousarray(plain.numpy()).reshape(-1).view(np.uint8).data


_READ_AS_IS = _AS_IS | {int}


class _Decoder:
    """Walks one decoded header, taking each tensor's bytes from the body in order."""

    def __init__(self, body: memoryview, wrap: Wrap) -> None:
        self.body, self.wrap, self.offset, self.nodes = body, wrap, 0, 0

    def value(self, node: object, depth: int) -> Any:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError("the frame is nested too deep or has too many values")
        if type(node) in _READ_AS_IS:
            return node
        if type(node) is not list or not node or type(node[0]) is not str:
            raise WireError("the frame has a value of no known kind")
        if len(node) == 2 and type(node[1]) is list:
            return self.container(node[0], node[1], depth + 1)
        return self.tagged(node[0], node[1:])

    def container(self, tag: str, items: list[Any], depth: int) -> Any:
        if tag == "d":
            return self.dict(items, depth)
        if tag == "l":
            return [self.value(item, depth) for item in items]
        if tag == "t":
            return tuple([self.value(item, depth) for item in items])
        raise WireError("the frame has a malformed value")

    def tagged(self, tag: str, rest: list[Any]) -> Any:
        match tag, rest:
            case "T", [str() as dtype, list() as shape, str() as device]:
                return self.tensor(dtype, shape, device)
            case "S", [["T", str() as dtype, list() as inner, "cpu"], list() as shape, list() as strides]:
                return _strided(self.tensor(dtype, inner, "cpu"), shape, strides)
            case "h", [int() as number, str() as name] if type(number) is int and number > 0:
                return HandleRef(number, name[:200])
            case "y", [str() as name] if name in DTYPES or name in OTHER_DTYPES:
                return DTYPES.get(name) or OTHER_DTYPES[name]
            case "v", [str() as name] if len(name) < 32:
                return _device(name)
            case "i", [str() as digits] if len(digits) <= MAX_DIGITS + 1:
                return int(digits, 16)
        raise WireError("the frame has a malformed value")  # not quoted: it may carry what a test must not say

    def dict(self, items: list[Any], depth: int) -> dict[Any, Any]:
        entries: dict[Any, Any] = {}
        odd = 0
        for item in items:
            if type(item) is not list or len(item) != 2:
                raise WireError("the frame has a malformed dict")
            odd += type(item[0]) is not str
            if odd > MAX_ODD_KEYS:
                raise WireError("the frame has a dict with too many keys that are no strings")
            key = item[0] if type(item[0]) is str else self.value(item[0], depth)
            if (type(key) is not str and not _is_key(key)) or key in entries:
                raise WireError("the frame has a dict with a key that is no plain value, or that comes twice")
            entries[key] = self.value(item[1], depth)
        return entries

    def tensor(self, dtype_name: str, shape: list[Any], device: str) -> torch.Tensor:
        dtype = DTYPES.get(dtype_name)
        sizes_ok = len(shape) <= MAX_RANK and all(type(n) is int and 0 <= n < 2**40 for n in shape)
        # an empty tensor's other lengths count too: numpy multiplies them
        if dtype is None or not sizes_ok or math.prod(max(n, 1) for n in shape) > 2**40:
            raise WireError("the frame claims a tensor of unknown dtype or impossible shape")
        size = math.prod(shape) * dtype.itemsize
        if size > len(self.body) - self.offset:
            raise WireError("the frame claims a tensor larger than its bytes")
        raw = bytearray(self.body[self.offset : self.offset + size])
        self.offset += size
        return self.wrap(_from_bytes(raw, dtype, shape), device)


def _strided(values: torch.Tensor, shape: list[Any], strides: list[Any]) -> Strided:
    inner = tuple(values.shape)
    sizes_ok = len(shape) == len(strides) == len(inner) and all(type(n) is int and 0 <= n <= MAX_SPAN for n in shape)
    strides_ok = sizes_ok and all(type(n) is int and 0 <= n <= MAX_SPAN for n in strides)
    expands = strides_ok and all(m in (n, 1) for n, m in zip(shape, inner, strict=True))
    if not expands or not values.numel() or span(inner, tuple(strides)) > MAX_SPAN:
        raise WireError("the frame claims a layout that no tensor of ours has")
    return Strided(values, tuple(shape), tuple(strides))


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if str(device) != name:  # torch makes cpu:-25 of cpu:999
        raise WireError("the frame names a device that does not exist")
    return device


def _is_key(value: object) -> bool:
    """A dict's key: plain, and itself equal to its copy (a tensor is hashable, but only by identity)."""
    if type(value) is tuple:
        return all(map(_is_key, value))
    return value is None or type(value) in (bool, int, float, str, bytes, torch.dtype, torch.device)


def _from_bytes(raw: bytearray, dtype: torch.dtype, shape: list[int]) -> torch.Tensor:
    if not raw:
        return torch.empty(shape, dtype=dtype)
    if dtype is torch.bool:  # a bool byte other than 0 and 1 would be undefined behaviour
        return (torch.frombuffer(raw, dtype=torch.uint8) != 0).reshape(shape)
    if dtype is torch.bfloat16:
        return torch.frombuffer(raw, dtype=dtype).reshape(shape)
    return torch.from_numpy(np.frombuffer(raw, dtype=_NUMPY[dtype]).reshape(shape))
