"""The wire: every by-value type survives it, and no frame, however made, does more than raise WireError."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from support.wire_values import believed

from autograder.runtime import wire
from autograder.runtime.layouts import GAP, Strided, with_layout
from autograder.runtime.simulated import device as simulated
from autograder.runtime.wire import HandleRef, WireError
from autograder.sandbox import worker_main

BOUNDED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def framed(message: object) -> tuple[bytes, bytes]:
    """The header and the body of a message's frame."""
    data = b"".join(wire.encode(message, worker_main.unwrap))
    header, body = wire.PREFIX.unpack(data[: wire.PREFIX.size])
    rest = data[wire.PREFIX.size :]
    assert len(rest) == header + body
    return rest[:header], rest[header:]


def round_trip(message: object) -> Any:
    return wire.decode(*framed(message), worker_main.wrap)


def decode(tree: object, body: bytes = b"") -> Any:
    """Decode a header that no encoder of ours wrote."""
    return wire.decode(msgpack.packb(tree), body, worker_main.wrap)


# ---------------------------------------------------------------------------------- what crosses, crosses whole

PLAIN = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(2**63) - 1,
    2**64,
    10**2000,
    -(10**2000),
    0.0,
    -0.0,
    1.5,
    5e-324,
    math.inf,
    -math.inf,
    "",
    "中文 \x00\n",
    b"",
    b"\x00\xff",
    [],
    (),
    {},
    [[]],
    ((),),
    [()],
    (1, [2, (3,)]),
    {"a": {"b": [1]}},
    {1: "int", "1": "str", None: 0, (1, 2): 3},
    torch.float32,
    torch.int8,
    torch.complex64,
    torch.quint8,
    torch.device("cpu"),
    torch.device("cuda:1"),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda v: repr(v)[:30])
def test_plain_values_come_back_equal_and_of_the_same_type(value: object) -> None:
    back = round_trip(value)
    assert back == value
    assert repr(back) == repr(value) if type(value) is not int else type(back) is int  # tells 0.0 from -0.0, () from []


def test_nan_comes_back_as_nan() -> None:
    assert math.isnan(round_trip(math.nan))


def test_a_bool_stays_a_bool_inside_containers() -> None:
    assert [type(v) for v in round_trip([True, 1, 1.0])] == [bool, int, float]


def test_handles_come_back_with_their_number_and_name() -> None:
    assert round_trip([HandleRef(7, "numpy.ndarray")]) == [HandleRef(7, "numpy.ndarray")]


@pytest.mark.parametrize("dtype", wire.DTYPES.values(), ids=wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3, 4)], ids=str)
def test_tensors_come_back_bit_for_bit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    raw = torch.randint(0, 2, (math.prod(shape) * dtype.itemsize,), dtype=torch.uint8)
    tensor = (raw * (1 if dtype is torch.bool else 255)).view(dtype).reshape(shape)
    back = round_trip(tensor)
    assert back.dtype is dtype
    assert back.shape == tensor.shape
    assert back.reshape(-1).view(torch.uint8).equal(tensor.reshape(-1).view(torch.uint8))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4).t(),
        torch.arange(12)[::3],
        torch.tensor(2.5).expand(3, 4),
        torch.nn.Parameter(torch.ones(2)),
        torch.ones(2, requires_grad=True) * 2,
    ],
    ids=["transposed", "strided", "expanded", "parameter", "with a graph"],
)
def test_views_and_graphs_arrive_dense_and_detached(tensor: torch.Tensor) -> None:
    back = round_trip(tensor)
    assert type(back) is torch.Tensor
    assert back.equal(tensor.detach())
    assert back.is_contiguous()
    assert not back.requires_grad


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4).t(),
        torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1),
        torch.arange(12, dtype=torch.uint8)[::3],
        torch.arange(12.0).reshape(3, 4)[:, 1:3],
        torch.tensor(2.5).expand(3, 4),
        torch.arange(4, dtype=torch.bfloat16).reshape(1, 4).expand(3, 4),
        torch.arange(6.0).unfold(0, 3, 1),
        torch.tensor([True, False]).expand(2, 2).t(),
    ],
    ids=["transposed", "permuted", "strided", "a slice", "expanded", "a row expanded", "windows", "bools"],
)
def test_a_layout_crosses_with_its_values(tensor: torch.Tensor) -> None:
    """A request's view has the same values, shape and strides at the other end."""
    sent = with_layout(tensor)
    assert isinstance(sent, Strided)
    back = round_trip(sent).tensor()
    assert back.equal(tensor)
    assert back.dtype is tensor.dtype
    assert back.stride() == tensor.stride()


def test_the_gaps_of_a_layout_hold_nothing_of_the_test() -> None:
    """Between the elements of a slice lies the same number everywhere, not what the test's own tensor has there."""
    back = round_trip(with_layout(torch.arange(4.0)[::3])).tensor()
    assert back.as_strided((4,), (1,)).tolist() == [0.0, GAP, GAP, 3.0]


def test_contiguous_tensors_have_no_layout() -> None:
    """What is contiguous travels as before, from the middle of a larger tensor, too."""
    x = torch.arange(12.0).reshape(3, 4)
    assert with_layout(x) is x
    assert isinstance(with_layout(x[1:]), torch.Tensor)
    assert isinstance(with_layout(torch.zeros(0, 3).t()), torch.Tensor)


def test_tensors_do_not_alias() -> None:
    """Tensors of one frame share no memory with each other or with the frame: changing one changes nothing else."""
    x = torch.zeros(4)
    header, body = framed([x, x[1:]])
    frame = bytearray(body)
    first, second = wire.decode(header, memoryview(frame), worker_main.wrap)
    first.fill_(1.0)
    frame[:] = b"\x01" * len(frame)
    assert second.tolist() == [0.0, 0.0, 0.0]
    assert first.tolist() == [1.0] * 4
    assert x.tolist() == [0.0] * 4


@pytest.mark.skipif(not simulated.available(), reason=simulated.unavailable_reason())
def test_the_device_tag_brings_a_tensor_back_to_the_simulated_device() -> None:
    with simulated.session():
        back = round_trip({"x": simulated.to_device(torch.arange(3))})["x"]
        assert simulated.is_simulated(back)
        assert simulated.to_host(back).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        1j,
        range(3),
        lambda: 0,
        torch.ones(2, dtype=torch.complex64),
        torch.eye(2).to_sparse(),
        16**2001,
    ],
    ids=["object", "set", "complex", "range", "function", "complex tensor", "sparse tensor", "a huge int"],
)
def test_what_has_no_form_on_the_wire_is_not_encoded(value: object) -> None:
    with pytest.raises((TypeError, KeyError, RuntimeError)):
        wire.encode(value, worker_main.unwrap)


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"k": v}], ids=["list", "tuple", "dict"])
def test_nesting_is_limited_at_both_ends(wrap: Callable[[Any], Any]) -> None:
    assert round_trip(nested(wire.MAX_DEPTH, wrap)) == nested(wire.MAX_DEPTH, wrap)
    with pytest.raises(TypeError, match="nested deeper"):
        wire.encode(nested(wire.MAX_DEPTH + 1, wrap), worker_main.unwrap)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.sampled_from(list(wire.DTYPES.values()))
)
KEYS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])) | st.binary()
MESSAGES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@BOUNDED
@given(MESSAGES)
def test_every_plain_message_survives(message: object) -> None:
    assert round_trip(message) == message


# ---------------------------------------------------------------------------------- what nobody of ours would send

T = ["T", "float32", [2], "cpu"]
TWO = bytes(8)
HOSTILE: dict[str, tuple[object, bytes]] = {
    "a bare list": ([1, 2], b""),
    "an empty list": ([], b""),
    "a map": ({"a": 1}, b""),
    "an unknown tag": (["x", 1], b""),
    "a tag that is no text": ([1, [2]], b""),
    "a tag without its value": (["l"], b""),
    "a tag with too many values": (["l", [], []], b""),
    "a list that is text": (["l", "abc"], b""),
    "a dict that is flat": (["d", [1, 2]], b""),
    "a dict item of three": (["d", [["a", 1, 2]]], b""),
    "a dict item that is no list": (["d", ["ab"]], b""),
    "a key that comes twice": (["d", [["a", 1], ["a", 2]]], b""),
    "a key that comes twice as bool and int": (["d", [[1, "a"], [True, "b"]]], b""),
    "a list as a key": (["d", [[["l", []], 1]]], b""),
    "a dict as a key": (["d", [[["d", []], 1]]], b""),
    "a tensor as a key": (["d", [[T, 1]]], TWO),
    "a tensor in a tuple as a key": (["d", [[["t", [T]], 1]]], TWO),
    "a handle as a key": (["d", [[["h", 1, "x"], 1]]], b""),
    "an unknown dtype": (["T", "float31", [2], "cpu"], TWO),
    "a dtype without tensors here": (["T", "complex64", [1], "cpu"], TWO),
    "a dtype with a prefix": (["T", "torch.float32", [2], "cpu"], TWO),
    "a shape that is a number": (["T", "float32", 2, "cpu"], TWO),
    "a negative length": (["T", "float32", [-2], "cpu"], TWO),
    "two negative lengths": (["T", "float32", [-1, -2], "cpu"], TWO),
    "a length that is a bool": (["T", "float32", [True, 2], "cpu"], TWO),
    "a length that is a float": (["T", "float32", [2.0], "cpu"], TWO),
    "a length that is text": (["T", "float32", ["2"], "cpu"], TWO),
    "a length that is None": (["T", "float32", [None], "cpu"], TWO),
    "a product that overflows 64 bits": (["T", "float32", [2**32, 2**32], "cpu"], TWO),
    "a product that overflows to its own size": (["T", "float32", [2**33, 2**31 + 1], "cpu"], TWO),
    "a product that torch can't hold though it is 0": (["T", "float32", [0, 2**39, 2**39], "cpu"], b""),
    "a size that numpy can't hold though it is 0": (["T", "int64", [0, 2**39, 2**23], "cpu"], b""),
    "a length above any memory": (["T", "float32", [2**40], "cpu"], TWO),
    "more dimensions than torch has": (["T", "float32", [1] * 65, "cpu"], bytes(4)),
    "fewer bytes than the tensor has": (["T", "float32", [3], "cpu"], TWO),
    "more bytes than the tensors have": (T, TWO + b"\x00"),
    "bytes without a tensor": (None, b"\x00"),
    "two tensors on the same bytes": (["l", [T, T]], TWO),
    "a layout of no tensor": (["S", 1, [2], [1]], b""),
    "a layout without strides": (["S", T, [2]], TWO),
    "a layout with too many strides": (["S", T, [2], [1, 1]], TWO),
    "a layout with too many lengths": (["S", T, [1, 2], [1, 1]], TWO),
    "a layout that runs backwards": (["S", T, [2], [-1]], TWO),
    "a layout with a stride that is a bool": (["S", T, [2], [True]], TWO),
    "a layout with a stride that is a float": (["S", T, [2], [1.0]], TWO),
    "a layout with a length that is text": (["S", T, ["2"], [1]], TWO),
    "a layout of more elements than there are values": (["S", T, [3], [1]], TWO),
    "a layout that reaches over more than any memory": (["S", T, [2], [wire.MAX_SPAN]], TWO),
    "a layout expanded beyond any memory": (["S", ["T", "float32", [1], "cpu"], [wire.MAX_SPAN + 1], [0]], bytes(4)),
    "a layout without values": (["S", ["T", "float32", [0], "cpu"], [0], [1]], b""),
    "a layout on a device": (["S", ["T", "float32", [2], "sim"], [2], [1]], TWO),
    "a layout of a layout": (["S", ["S", T, [2], [2]], [2], [1]], TWO),
    "no device": (["T", "float32", [2]], TWO),
    "an unknown device": (["T", "float32", [2], "tpu"], TWO),
    "a device that only starts like one": (["T", "float32", [2], "simulacrum"], TWO),
    "a meta device": (["T", "float32", [2], "meta"], TWO),
    "a CUDA device without a number": (["T", "float32", [2], "cuda"], TWO),
    "a device of no kind": (["v", "toaster"], b""),
    "a device with a long name": (["v", "cpu" + "0" * 40], b""),
    "a device whose number torch wraps around": (["v", "cpu:999"], b""),
    "a dtype of no kind": (["y", "float31"], b""),
    "a dtype that is an attribute of torch": (["y", "__dict__"], b""),
    "a handle without a name": (["h", 1], b""),
    "a handle that is the module": (["h", 0, "x"], b""),
    "a negative handle": (["h", -1, "x"], b""),
    "a handle that is a bool": (["h", True, "x"], b""),
    "a handle that is a float": (["h", 1.0, "x"], b""),
    "digits that are none": (["i", "xyz"], b""),
    "digits without an end": (["i", "f" * 100_000], b""),
    "an extension type": (["l", [msgpack.ExtType(42, b"\x80\x04.")]], b""),
    "a timestamp": (msgpack.Timestamp(0, 0), b""),
    "text above its cap": ("x" * (wire.MAX_TEXT + 1), b""),
    "too many values in one list": (["l", [None] * (wire.MAX_NODES + 1)], b""),
    "too many values in many lists": (["l", [["l", [None] * 1000]] * 101], b""),
    "nesting above its cap": (nested(wire.MAX_DEPTH + 1, lambda v: ["l", [v]]), b""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_is_refused(name: str) -> None:
    tree, body = HOSTILE[name]
    with pytest.raises(WireError):
        decode(tree, body)


RAW: dict[str, bytes] = {
    "nothing": b"",
    "a cut frame": msgpack.packb(["l", [1, 2, 3]])[:-1],
    "trailing bytes": msgpack.packb(None) + b"\x00",
    "a second message": msgpack.packb(None) * 2,
    "the byte that msgpack never uses": b"\xc1",
    "a list that claims 2^32 values": b"\xdd\xff\xff\xff\xff",
    "text that claims 4 GB": b"\xdb\xff\xff\xff\xff",
    "bytes that claim 4 GB": b"\xc6\xff\xff\xff\xff",
    "an extension that claims 4 GB": b"\xc9\xff\xff\xff\xff\x01",
    "a map that claims 2^32 items": b"\xdf\xff\xff\xff\xff",
    "a million levels": b"\x91" * 1_000_000,
    "text that is no UTF-8": b"\xa2\xff\xfe",
    "a lone surrogate": b"\xa3\xed\xa0\x80",
    "a pickle": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_message_are_refused(name: str) -> None:
    with pytest.raises(WireError):
        wire.decode(RAW[name], b"", worker_main.wrap)


def test_the_refusal_repeats_nothing_of_the_frame() -> None:
    """The text of a refusal reaches the report, and a worker knows the hidden tests' inputs."""
    for tree in (
        ["secret0.1234", 1],
        ["T", "secret0.1234", [1], "cpu"],
        ["T", "int8", [1], "secret0.1234"],
        ["i", "secret"],
    ):
        with pytest.raises(WireError) as caught:
            decode(tree, b"\x00")
        assert "secret" not in str(caught.value)


def test_a_bool_tensor_holds_only_true_and_false() -> None:
    """A byte 255 in a bool tensor would make `x == True` and `x.sum()` disagree."""
    assert decode(["T", "bool", [3], "cpu"], b"\x00\x01\xff").view(torch.uint8).tolist() == [0, 1, 1]


def peak_of_refusing(header: bytes) -> int:
    tracemalloc.start()
    with pytest.raises(WireError):
        wire.decode(header, b"", worker_main.wrap)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "header", [b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", msgpack.packb(["T", "int8", [2**39], "cpu"])]
)
def test_what_a_header_claims_is_not_allocated(header: bytes) -> None:
    assert peak_of_refusing(header) < 1 << 20


def test_a_header_of_the_longest_kind_costs_less_than_200_megabytes() -> None:
    """Empty lists, one byte each, are the dearest thing that a header can hold."""
    header = b"\xdc\xff\xff" + b"\x90" * 0xFFFF
    assert peak_of_refusing(header) / len(header) * wire.MAX_HEADER < 200 << 20


ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.sampled_from(
        ["l", "t", "d", "T", "S", "h", "y", "v", "i", "float32", "int8", "bool", "cpu", "sim", "ff", 0, 1, 2]
    )
)
TREES = st.recursive(ODD, lambda inner: st.lists(inner, max_size=5), max_leaves=40)


@BOUNDED
@given(tree=TREES, body=st.binary(max_size=16))
@example(tree=["T", "bool", [2, 2], "cpu"], body=b"\x02\x03\x04\x05")
def test_any_tree_is_either_refused_or_becomes_plain_values(tree: object, body: bytes) -> None:
    try:
        value = decode(tree, body)
    except WireError:
        return
    assert believed(value)


@BOUNDED
@given(header=st.binary(max_size=64), body=st.binary(max_size=16))
def test_any_bytes_are_either_refused_or_become_plain_values(header: bytes, body: bytes) -> None:
    try:
        value = wire.decode(header, body, worker_main.wrap)
    except WireError:
        return
    assert believed(value)


@BOUNDED
@given(message=MESSAGES, at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_frame_with_one_byte_changed_is_either_refused_or_becomes_plain_values(
    message: object, at: int, byte: int
) -> None:
    header, body = framed([message, torch.arange(3, dtype=torch.int16)])
    assume(header[at % len(header)] != byte)
    changed = bytearray(header)
    changed[at % len(header)] = byte
    try:
        value = wire.decode(bytes(changed), body, worker_main.wrap)
    except WireError:
        return
    assert believed(value)


def test_a_dict_of_many_numbers_is_refused_before_it_is_made() -> None:
    """These all have one hash: to put 49,000 of them into a dict takes half a minute, in which no clock stops the grader."""
    found = {number * (2**61 - 1): 0 for number in range(wire.MAX_ODD_KEYS + 1)}
    with pytest.raises(TypeError, match="keys"):
        wire.encode(found, lambda tensor: (tensor, "cpu"))
    frame = msgpack.packb(["d", [[["i", f"{key:x}"], 0] for key in found]])
    with pytest.raises(wire.WireError, match="too many keys"):
        wire.decode(frame, b"", lambda tensor, _: tensor)
    names = {f"layer.{number}": number for number in range(3 * wire.MAX_ODD_KEYS)}
    _, header = wire.encode(names, lambda tensor: (tensor, "cpu"))
    assert wire.decode(header, b"", lambda tensor, _: tensor) == names
