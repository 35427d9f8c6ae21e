"""The assertions accept every right value and name the mistake in every wrong one."""

import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autograder.runtime.errors import MissingError
from autograder.testing import expect
from autograder.testing.proxy import Call

CPU = torch.device("cpu")


def message_of(call, *args, **kwargs):
    with pytest.raises(expect.MismatchError) as caught:
        call(*args, **kwargs)
    return caught.value.words


def handle(type_name):
    return SimpleNamespace(type_name=type_name)


# ------------------------------------------------------------------ MismatchError


def test_words_and_values_are_kept_apart():
    found = expect.MismatchError("too large", "7, expected 3")
    assert (found.words, found.values, str(found)) == ("too large", "7, expected 3", "too large [7, expected 3]")
    assert str(expect.MismatchError("too large")) == "too large"
    assert isinstance(found, AssertionError)


def test_no_message_shows_values_in_its_words():
    x = torch.tensor([0.4321, -0.9876])
    for call, args in (
        (expect.close, (x, x + 1, "the result")),
        (expect.codes, (torch.tensor([5, 6], dtype=torch.int8), x, torch.tensor(0.0123))),
        (expect.symmetric_scale, (torch.tensor(0.4567), torch.tensor(0.9876), 8)),
        (expect.asymmetric_scale, (torch.tensor(0.4567), -0.9876, 0.4321, 8)),
        (expect.zero_point, (77, -0.9876, torch.tensor(0.0123), 8)),
    ):
        words = message_of(call, *args)
        assert not any(digits in words for digits in ("4321", "9876", "4567", "0123", "77", " 5", " 6")), words


# ------------------------------------------------------------------ results, tensor, number, integer


def test_results_come_as_tuple_or_list():
    assert expect.results((1, 2), "q", "scale") == (1, 2)
    assert expect.results([1, 2], "q", "scale") == [1, 2]


@pytest.mark.parametrize(
    "value, words",
    [
        (torch.zeros(2), "returned a torch.Tensor; expected 2 values: (q, scale)"),
        (None, "returned None; expected 2 values: (q, scale)"),
        ((1, 2, 3), "returned 3 values; expected 2 values: (q, scale)"),
    ],
)
def test_results_of_another_number(value, words):
    assert message_of(expect.results, value, "q", "scale") == words


OTHER_AXIS = "q is shaped for another axis: a dimension that should stay is reduced, and another one kept"


def test_tensor_is_returned_for_computing():
    x = torch.ones(2, 3, requires_grad=True)
    found = expect.tensor(x, "x", dtype=torch.float32, shape=(2, 3), device=CPU)
    assert torch.equal(found, torch.ones(2, 3))
    assert not found.requires_grad


@pytest.mark.parametrize(
    "value, kwargs, words",
    [
        (handle("numpy.ndarray"), {}, "q is a numpy.ndarray; expected a torch.Tensor"),
        (1.5, {}, "q is a float; expected a torch.Tensor"),
        (None, {}, "q is None; expected a torch.Tensor"),
        (print, {}, "q is a method; expected a torch.Tensor"),
        (torch.zeros(2), {"dtype": torch.int8}, "q is still float32: nothing is compressed; expected int8"),
        (torch.zeros(2, dtype=torch.uint8), {"dtype": torch.int8}, "q is uint8; expected int8"),
        (torch.zeros(2).half(), {"dtype": torch.float32}, "q is float16; expected float32"),
        (torch.zeros(3, 2), {"shape": (2, 3)}, "q has the wrong shape"),
        (torch.zeros(1, 3), {"shape": (2, 1)}, OTHER_AXIS),
        (torch.zeros(2), {"shape": (2, 1)}, "q has 1 dimension; expected 2: reduced dimensions stay, with length 1"),
        (torch.zeros(2, 3, 1), {"shape": (2, 3)}, "q has 3 dimensions; expected 2: drop those with length 1"),
        (torch.zeros(6), {"shape": (2, 3)}, "q has 1 dimension; expected 2"),
        (
            torch.zeros(2, device="meta"),
            {"device": CPU},
            "q lives on meta; the input lives on cpu, and so must the result",
        ),
    ],
)
def test_tensor_that_is_none(value, kwargs, words):
    assert message_of(expect.tensor, value, "q", **kwargs) == words


def test_hostile_type_name_is_shortened_and_plain():
    words = message_of(expect.tensor, handle("<script>" + "x" * 500), "q")
    assert "<" not in words
    assert len(words) < 120


def test_tensor_subclass_is_not_believed():
    class Lying(torch.Tensor):
        @property
        def shape(self):
            raise SystemExit

    lying = torch.zeros(2).as_subclass(Lying)
    assert message_of(expect.tensor, lying, "q", shape=(2,)) == "q is a Lying; expected a torch.Tensor"


@pytest.mark.parametrize("value", [2.5, torch.tensor(2.5), torch.tensor(2.5, dtype=torch.float64)])
def test_number(value):
    assert expect.number(value, "KL") == 2.5


@pytest.mark.parametrize(
    "value, words",
    [
        (torch.zeros(1), "KL has 1 dimension; expected 0: drop those with length 1"),
        (torch.tensor(2), "KL is int64; expected a float"),
        ("2.5", "KL is a str; expected a float or a 0-dim tensor"),
        (handle("numpy.ndarray"), "KL is a numpy.ndarray; expected a float or a 0-dim tensor"),
        (True, "KL is a bool; expected a float or a 0-dim tensor"),
    ],
)
def test_number_that_is_none(value, words):
    assert message_of(expect.number, value, "KL") == words


@pytest.mark.parametrize("value", [95, torch.tensor(95), torch.tensor(95, dtype=torch.uint8)])
def test_integer(value):
    assert expect.integer(value, "zero point") == 95


@pytest.mark.parametrize(
    "value, words",
    [
        (95.0, "zero point is a float; expected an int or a 0-dim integer tensor"),
        (torch.tensor(95.0), "zero point is float32; expected an integer: codes move by whole levels"),
        (torch.tensor(True), "zero point is bool; expected an integer: codes move by whole levels"),
        (torch.tensor([95]), "zero point has 1 dimension; expected 0: drop those with length 1"),
    ],
)
def test_integer_that_is_none(value, words):
    assert message_of(expect.integer, value, "zero point") == words


# ------------------------------------------------------------------ close and that


def test_close_tolerates_and_no_more():
    expect.close(torch.tensor([1.0, 2.0]), torch.tensor([1.000005, 2.0]), "x")
    expect.close(0.0, 5e-7, "x", atol=1e-6)
    expect.close(float("inf"), float("inf"), "x")
    assert message_of(expect.close, torch.tensor([1.0]), torch.tensor([2.1]), "x") == "x holds unexpected values"
    assert message_of(expect.close, 1.0, 1.1, "x") == "x is not the expected value"
    assert (
        message_of(expect.close, 1.0, 1.001, "x")
        == "x is less than 1 % off, and not equal: a step of the computation differs"
    )


@pytest.mark.parametrize(
    "got, want, words",
    [
        (float("nan"), 1.0, "x is NaN"),
        (float("nan"), float("nan"), "x is NaN"),
        (float("inf"), 1.0, "x is infinity"),
        (134.0, float("inf"), "x is not the expected value"),
        (float("-inf"), float("inf"), "x is infinity"),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "x holds NaN"),
    ],
)
def test_nan_and_infinity_are_near_nothing(got, want, words):
    assert message_of(expect.close, got, want, "x", rtol=1.0, atol=1e9) == words


def test_close_names_the_lookalike():
    lookalikes = {"is doubled": 2.0, "is in bits": 1.0 / 0.6931}
    assert message_of(expect.close, 2.0, 1.0, "KL", lookalikes=lookalikes) == "KL is doubled"
    assert message_of(expect.close, 3.0, 1.0, "KL", lookalikes=lookalikes) == "KL is not the expected value"


def test_close_shows_the_first_difference():
    with pytest.raises(expect.MismatchError) as caught:
        expect.close(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [5.0, 6.0]]), "x")
    assert caught.value.values == "at [1, 0]: 3, expected 5"


def test_that():
    expect.that(True, "never said")
    assert message_of(expect.that, False, "does not hold") == "does not hold"


# ------------------------------------------------------------------ scales and zero points


@pytest.mark.parametrize("scale", [1.0, 1e-12, torch.finfo(torch.float32).eps])
def test_any_positive_scale_is_usable(scale):
    assert expect.usable_scale(torch.tensor(scale)) == torch.tensor(scale)


@pytest.mark.parametrize(
    "scale, words",
    [
        (0.0, "scale is 0 where the data is all zero: x / scale is NaN there"),
        (-1.0, "scale is not finite and positive"),
        (float("nan"), "scale is not finite and positive"),
        (float("inf"), "scale is not finite and positive"),
    ],
)
def test_unusable_scale(scale, words):
    assert message_of(expect.usable_scale, torch.tensor(scale)) == words


FLOOR = "scale stops at 0.01, a floor on tiny scales that ordinary small data must not reach"
AMAX = torch.tensor([[1.0], [30.0]])


def test_symmetric_scale():
    for bits, top in ((8, 127), (4, 7), (2, 1)):
        assert torch.equal(expect.symmetric_scale(AMAX / top, AMAX, bits), AMAX / top)


@pytest.mark.parametrize(
    "scale, words",
    [
        (AMAX / 128, "scale equals amax / 128; the largest level is 127"),
        (AMAX / 127.5, "scale equals amax / 127.5; the largest level is 127"),
        (AMAX / 255, "scale equals amax / 255, the unsigned range; the largest level is 127"),
        (127 / AMAX, "scale is upside down: it equals 127 / amax"),
        (AMAX, "scale equals amax: it is not yet divided by the largest level"),
        (torch.full((2, 1), 30.0 / 127), "scale is the same everywhere: one scale for the whole tensor"),
        ((AMAX / 127).clamp(min=1e-2), FLOOR),
        (AMAX.half() / 127, "scale is float16; expected float32"),
        (
            (AMAX.half() / 127).float(),
            "scale is less than 1 % off, and not equal: a step of the computation differs",
        ),
        (AMAX[:, 0] / 127, "scale has 1 dimension; expected 2: reduced dimensions stay, with length 1"),
        (AMAX * 3, "scale holds unexpected values"),
    ],
)
def test_symmetric_scale_lookalikes(scale, words):
    assert message_of(expect.symmetric_scale, scale, AMAX, 8) == words


def test_symmetric_scale_whatever_bits_is():
    assert message_of(expect.symmetric_scale, AMAX / 127, AMAX, 4) == "scale equals amax / 127 whatever bits is"


def test_own_lookalikes_come_first():
    own = {"follows max(x)": AMAX / 128}
    assert message_of(expect.symmetric_scale, AMAX / 128, AMAX, 8, own) == "scale follows max(x)"


@pytest.mark.parametrize("lo, hi, width", [(-1.0, 1.55, 2.55), (5.0, 10.0, 10.0), (-10.0, -5.0, 10.0)])
def test_asymmetric_scale(lo, hi, width):
    assert expect.asymmetric_scale(torch.tensor(width / 255), lo, hi, 8) == torch.tensor(width / 255)


@pytest.mark.parametrize(
    "scale, lo, hi, words",
    [
        (2.5 / 256, -1.0, 1.5, "scale equals (hi − lo) / 256; 256 levels are 255 steps apart"),
        (5.0 / 255, 5.0, 10.0, "scale leaves 0 out of the range: lo = min(x.min(), 0) and hi = max(x.max(), 0)"),
        (3.0 / 255, -1.0, 1.5, "scale equals 2·amax over the steps, the symmetric range"),
        (1.5 / 127, -1.0, 1.5, "scale equals the symmetric scale"),
        (1.5 / 255, -1.0, 1.5, "scale leaves out the negative part of the range"),
        (0.2, -1.0, 1.5, "scale is not the expected value"),
    ],
)
def test_asymmetric_scale_lookalikes(scale, lo, hi, words):
    assert message_of(expect.asymmetric_scale, torch.tensor(scale), lo, hi, 8) == words


STEP = torch.tensor(0.01, dtype=torch.float64)


@pytest.mark.parametrize(
    "found, lo", [(95, -0.953), (torch.tensor(95), -0.953), (95, -0.9550001), (96, -0.9549999), (0, 0.5), (255, -2.55)]
)
def test_zero_point(found, lo):
    assert expect.zero_point(found, lo, STEP, 8) == int(found)


@pytest.mark.parametrize(
    "found, lo, words",
    [
        (-95, -0.953, "zero point lies outside 0…255"),
        (256, -2.56, "zero point lies outside 0…255"),
        (0, -0.953, "zero point is 0, although lo is below 0: the real 0 is not the lowest value here"),
        (95, -0.957, "zero point is truncated; it is the integer nearest to −lo / scale"),
        (95, -0.9552, "zero point is truncated; it is the integer nearest to −lo / scale"),
        (96, -0.953, "zero point is not round(−lo / scale)"),
        (95.0, -0.953, "zero point is a float; expected an int or a 0-dim integer tensor"),
    ],
)
def test_zero_point_mistakes(found, lo, words):
    assert message_of(expect.zero_point, found, lo, STEP, 8) == words


# ------------------------------------------------------------------ codes


def int8(*values):
    return torch.tensor(values, dtype=torch.int8)


def uint8(*values):
    return torch.tensor(values, dtype=torch.uint8)


ONE_OFF = "q is one level off in places that are no ties: x / scale is not exact enough, or not rounded to nearest"
LEVELS = torch.tensor([50.7, -33.4, 0.0, 300.0, -300.0])  # x for a scale of 1


@pytest.mark.parametrize("lowest", [-127, -128])
def test_codes_may_stop_at_either_lowest_level(lowest):
    expect.codes(int8(51, -33, 0, 127, lowest), LEVELS, torch.tensor(1.0))


def test_codes_at_a_tie_may_take_either_neighbour():
    x = torch.tensor([2.5, 2.50009, -2.5])
    for q in (int8(2, 3, -2), int8(3, 2, -3)):
        expect.codes(q, x, torch.tensor(1.0))
    assert message_of(expect.codes, int8(2), torch.tensor([2.5002]), torch.tensor(1.0)).startswith("q is truncated")
    x = torch.tensor([2.5, 7.0])
    assert message_of(expect.codes, int8(9, 7), x, torch.tensor(1.0)) == "q is not round(x / scale)"
    axis_0 = {"is right for axis 0": torch.tensor([9, 8])}
    for q in (int8(8, 8), int8(9, 8), int8(10, 8)):  # a lookalike has its ties, too
        assert message_of(expect.codes, q, x, torch.tensor(1.0), lookalikes=axis_0) == "q is right for axis 0"


def test_codes_with_a_scale_for_each_row():
    x = torch.tensor([[1.0, 2.0], [10.0, 20.0]])
    expect.codes(torch.tensor([[1, 2], [1, 2]], dtype=torch.int8), x, torch.tensor([[1.0], [10.0]]))


def test_unsigned_codes_saturate_at_both_ends():
    expect.codes(uint8(151, 67, 100, 255, 0), LEVELS, torch.tensor(1.0), 100, signed=False)


@pytest.mark.parametrize(
    "q, words",
    [
        (int8(50, -33, 0, 127, -128), "q is truncated toward zero instead of rounded to the nearest level"),
        (int8(50, -34, 0, 127, -128), "q is rounded down instead of to the nearest level"),
        (int8(51, -33, 0, 44, -44), "q wrapped around instead of saturating: clamp before converting"),
        (int8(51, 33, 0, 127, 127), "q has lost its signs"),
        (int8(7, 7, 7, 7, 7), "q has the same code everywhere"),
        (int8(51, -34, 0, 127, -128), ONE_OFF),
        (int8(51, -3, 0, 127, -128), "q is not round(x / scale)"),
        (LEVELS, "q is still float32: nothing is compressed; expected int8"),
        (int8(51, -33), "q has the wrong shape"),
    ],
)
def test_wrong_codes(q, words):
    assert message_of(expect.codes, q, LEVELS, torch.tensor(1.0)) == words


@pytest.mark.parametrize(
    "q, words",
    [
        (uint8(51, 0, 0, 255, 0), "q lacks the zero point"),
        (uint8(0, 0, 0, 200, 0), "q has the zero point subtracted; quantizing adds it"),
        (uint8(151, 67, 100, 144, 56), "q wrapped around instead of saturating: clamp before converting"),
        (uint8(151, 60, 100, 255, 0), "q is not round(x / scale) + zero point"),
        (uint8(151, 67, 100, 255, 1), ONE_OFF),
    ],
)
def test_wrong_unsigned_codes(q, words):
    assert message_of(expect.codes, q, LEVELS, torch.tensor(1.0), 100, signed=False) == words


def test_codes_beyond_the_levels_of_their_bits():
    words = message_of(expect.codes, int8(20, -3), torch.tensor([2.0, -3.0]), torch.tensor(1.0), bits=4)
    assert words == "q goes beyond -8…7, the levels there are"


def test_own_lookalikes_of_codes_come_first():
    own = {"is right for axis 0": torch.tensor([1, 2])}
    words = message_of(expect.codes, int8(1, 2), torch.tensor([5.0, 9.0]), torch.tensor(1.0), lookalikes=own)
    assert words == "q is right for axis 0"


# ------------------------------------------------------------------ raises


def raising(error):
    def call():
        raise error

    return call


def test_raises_accepts_the_error():
    expect.raises(ValueError, raising(ValueError("bits must be 2 to 8")), because="bits was 9")
    expect.raises(ValueError, raising(ValueError()), because="bits was 9")
    expect.raises(RuntimeError, raising(RuntimeError("calibrate first")), because="quantize came before calibrate")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: 1, "bits was 9, and no error was raised; expected ValueError"),
        (raising(TypeError("no")), "bits was 9: raised TypeError; expected ValueError"),
        (raising(ValueError("  ")), "bits was 9: the ValueError has no text; it must name the problem"),
    ],
)
def test_raises_wants_that_error(call, words):
    assert message_of(expect.raises, ValueError, call, because="bits was 9", named=True) == words


@pytest.mark.parametrize("error", [MissingError("not written"), NotImplementedError()])
@pytest.mark.parametrize("wanted", [ValueError, RuntimeError])
def test_what_is_not_written_yet_stays_visible(error, wanted):
    with pytest.raises(type(error)):
        expect.raises(wanted, raising(error), because="bits was 9")


# ------------------------------------------------------------------ the last call


def after(**facts):
    return SimpleNamespace(last_call=Call("f(x)", **facts))


def test_inputs_unchanged():
    expect.inputs_unchanged(after())
    expect.inputs_unchanged(SimpleNamespace(last_call=None))
    words = message_of(expect.inputs_unchanged, after(mutated=("argument 1",)))
    assert words == "the input was changed in place (argument 1); work on a copy"


def test_a_few_steps_on_the_device_are_fine():
    x = torch.zeros(8, 100)
    student = after(syncs=8, device_ops=120, moved_elements=8)
    expect.on_device(student, x, q=torch.zeros(1), scale=torch.zeros(1), zero_point=3, sqnr=1.5)


@pytest.mark.parametrize(
    "facts, words",
    [
        ({"moved_elements": 800}, "the data was moved to the CPU; compute where the input lives"),
        ({"syncs": 800}, "the CPU waited for the device about once an element; use whole-tensor operations"),
        ({"device_ops": 800}, "about one operation an element: a Python loop; use whole-tensor operations"),
    ],
)
def test_a_step_an_element_is_not(facts, words):
    assert message_of(expect.on_device, after(**facts), torch.zeros(8, 100)) == words


def test_device_call_returns_what_the_function_returns():
    assert expect.device_call(dict, [("a", 1)], b=2) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "error, words",
    [
        (
            TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first"),
            "the data went through NumPy, which takes CPU tensors only: stay in torch",
        ),
        (
            RuntimeError("Expected all tensors to be on the same device, but found at least two devices"),
            "tensors on two devices met: create new ones where the input lives",
        ),
        (
            RuntimeError("aten::histc runs on the CPU only (the simulated device behaves as cuda:0 would)"),
            "an operation works on the CPU only; use one that devices have, too",
        ),
    ],
)
def test_device_errors_are_explained(error, words):
    assert message_of(expect.device_call, raising(error)) == words


@pytest.mark.parametrize(
    "error",
    [TypeError("bad argument"), NotImplementedError("numpy"), ValueError("numpy"), MissingError("numpy, device")],
)
def test_other_errors_stay_as_they_are(error):
    with pytest.raises(type(error)) as caught:
        expect.device_call(raising(error))
    assert caught.value is error


def test_swapped_results_are_named():
    """Floats first and integers second are two results in the wrong order; other mistakes are none of its business."""
    q, scale = torch.tensor([1, 2], dtype=torch.int8), torch.tensor(0.5)
    words = "q and scale are swapped: the first result holds floats, the second one integers"
    assert message_of(expect.codes_first, scale, q) == words
    for found in ((q, scale), (scale, scale), (q, q), (None, q)):
        expect.codes_first(*found)


def test_the_guard_for_zeros_is_named_where_it_meets_other_data():
    """A scale of 1 for constant data, and equal codes where equal ones are wanted, have no other name."""
    words = "scale is 1, as a guard makes it for data that is all zero; this data is not"
    assert message_of(expect.symmetric_scale, torch.tensor(1.0), torch.tensor(5.0), 8) == words
    assert message_of(expect.asymmetric_scale, torch.tensor(1.0), 5.0, 5.0, 8) == words
    x, scale, wrong = torch.full((3,), 5.0), torch.tensor(5 / 127), torch.full((3,), 3, dtype=torch.int8)
    assert message_of(expect.codes, wrong, x, scale) == "q is not round(x / scale)"


def test_one_scale_where_several_are_wanted_is_no_other_axis():
    """A shape of ones is a single value; only a length elsewhere is another axis."""
    amax = torch.tensor([[1.0], [2.0], [3.0]])
    found = message_of(expect.symmetric_scale, torch.ones(1, 1), amax, 8)
    assert found == "scale has a single value; expected one for each part"


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 3, 4, 5)])
def test_layouts_hold_the_values_and_are_views(shape):
    """A transposed tensor and a slice equal x, an expanded one its first part; nothing of it is contiguous."""
    x = torch.arange(float(math.prod(shape))).reshape(shape)
    views = dict(expect.layouts(x))
    expanded = views.pop("an expanded tensor")
    assert all(view.equal(x) and not view.is_contiguous() for view in views.values())
    assert len(views) == 2
    assert expanded.equal(torch.stack([x[0]] * shape[0]))
    assert not expanded.is_contiguous()
    for view in (*views.values(), expanded):
        with pytest.raises(RuntimeError, match="view size"):
            view.view(-1)


def test_a_layout_that_is_refused_is_named():
    """`view` on a view is explained; other errors stay as they are."""
    transposed = torch.ones(2, 3).t()
    call = partial(expect.layout_call, what="a transposed tensor")
    words = "a transposed tensor is refused: `view` needs one block of memory; `reshape` and `flatten` do not"
    assert message_of(call, lambda: transposed.view(-1)) == words
    assert call(lambda: 3) == 3
    for error in (RuntimeError("mat1 and mat2"), NotImplementedError("contiguous"), MissingError("contiguous")):
        with pytest.raises(type(error)):
            call(raising(error))


def test_results_live_where_the_input_lives():
    on = torch.zeros(8, device="meta")
    words = message_of(expect.on_device, after(), on, zero_point=torch.tensor(3))
    assert words == "zero point lives on cpu; the input lives on meta, and so must the result"
    assert message_of(expect.on_device, after(), on, q=np.zeros(8)) == "q is a ndarray; expected a torch.Tensor"
