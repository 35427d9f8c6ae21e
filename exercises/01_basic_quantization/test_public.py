"""Public tests of exercise 01: small examples to follow by hand, and a few random ones.

`student.f(x)` calls the student's f; `rng` is seeded by the assignment; `expect` says what a wrong answer
looks like. Each test belongs to an item of its task's rubric, and the items other than `values` pay when `values` is
complete. The grader's hidden tests ask for the same, with other data.
"""

import math
from functools import partial

import pytest
import torch

from autograder.testing import expect

NOT_BITS = (0, 1, 9, 16, -4, 4.5)


def between(lo, hi, shape, rng):
    """Random float32 data from `lo` to `hi`, both of which occur."""
    x = torch.rand(shape, generator=rng) * (hi - lo) + lo
    flat = x.view(-1)
    flat[1], flat[-2] = lo, hi
    return x


def delicate(shape, rng):
    """Data that half precision, or a floor on the scale, would spoil; and float64, whose scales are float32, too."""
    small = between(-0.0589, 0.0664, shape, rng)  # neither the range nor its 127th or 255th part is a half
    yield from (small.to(torch.float16), small.to(torch.bfloat16), small.to(torch.float64))
    yield between(-3.4e-5, 4.3e-5, shape, rng)


def unusable(shape, rng):
    """(what is wrong, data): no scale could describe any of these."""
    for what, value in (("NaN", math.nan), ("+inf", math.inf), ("−inf", -math.inf)):
        x = between(-1.0, 1.0, shape, rng)
        x.view(-1)[-1] = value
        yield f"the data held {what}", x
    yield "the data was empty", torch.zeros(0, *shape[1:])


def constants():
    """Data that is all the same, or a single value: it follows the same rules as any other."""
    yield from (torch.full((3,), 5.0), torch.full((2, 3), -2.6), torch.tensor([6.1]), torch.tensor(-0.37))


def in_half(x, amax, steps):
    """What to say of a scale that was computed in the half precision of its data."""
    if x.dtype not in (torch.float16, torch.bfloat16):
        return {}
    return {"is computed in half precision: convert the data to float32 first": (amax.to(x.dtype) / steps).double()}


def check_symmetric(found, x, bits=8):
    """(q, scale) for the whole of x."""
    q, scale = expect.results(found, "q", "scale")
    expect.codes_first(q, scale)
    top = 2 ** (bits - 1) - 1
    lookalikes = {
        "follows max(x), not the largest |x|": x.max() / top,
        "follows min(x), not the largest |x|": -x.min() / top,
        **in_half(x, x.abs().max(), top),
    }
    scale = expect.symmetric_scale(scale, x.float().abs().max(), bits, lookalikes)
    expect.codes(q, x.float(), scale, bits=bits)


def check_asymmetric(found, x, bits=8):
    """(q, scale, zero_point) for the whole of x."""
    q, scale, zero_point = expect.results(found, "q", "scale", "zero_point")
    expect.codes_first(q, scale)
    x = x.float()
    lo, hi = float(x.min()), float(x.max())
    scale = expect.asymmetric_scale(scale, lo, hi, bits)
    zero_point = expect.zero_point(zero_point, lo, scale, bits)
    lookalikes = {
        "is rounded once, after x / scale and −lo / scale were added; round each of them": (
            ((x - min(lo, 0.0)) / scale).round()
        ),
        "is round((x − zero point) / scale): the zero point is added, after x / scale was rounded": (
            ((x - zero_point) / scale).round().clamp(0, 2**bits - 1)
        ),
    }
    expect.codes(q, x, scale, zero_point, bits=bits, signed=False, lookalikes=lookalikes)


def check_restored(value, q, scale, zero_point=0):
    """scale · (q − zero point); scale and zero point broadcast to q."""
    wide, scale = q.double(), scale.double()
    lookalikes = {
        "wrapped around: convert before subtracting": (q - torch.as_tensor(zero_point).to(q.dtype)) * scale,
        "adds the zero point; dequantizing subtracts it": (wide + zero_point) * scale,
        "ignores the zero point": wide * scale,
        "subtracts the zero point after scaling": wide * scale - zero_point,
    }
    restored = expect.tensor(value, "the result", shape=q.shape)
    tolerance = 1e-4 * float(scale.max())
    expect.close(restored, (wide - zero_point) * scale, "the result", atol=tolerance, lookalikes=lookalikes)


def check_per_channel(found, x, axis=0, bits=8):
    """(q, scale) with one scale for each index of `axis`, all other dimensions 1."""
    q, scale = expect.results(found, "q", "scale")
    expect.codes_first(q, scale)
    x = x.float()
    parts = torch.stack([part.abs().max() for part in x.unbind(dim=axis)])
    kept = [1] * x.dim()
    kept[axis] = -1
    scale = expect.symmetric_scale(scale, parts.reshape(kept), bits)
    expect.codes(q, x, scale, bits=bits)


def check_groups(found, weight, group_size, bits=4):
    """(q, scale) with one scale for each group of neighbours in a row."""
    q, scale = expect.results(found, "q", "scale")
    expect.codes_first(q, scale)
    weight, top = weight.float(), 2 ** (bits - 1) - 1
    largest = torch.stack([group.abs().amax(dim=1) for group in weight.split(group_size, dim=1)], dim=1)
    lookalikes = {
        "takes every n-th weight for a group; a group's weights are neighbours": (
            weight.reshape(len(weight), group_size, -1).abs().amax(dim=1) / top
        ),
        "is that of the whole row, in each of its groups": largest.amax(dim=1, keepdim=True).expand_as(largest) / top,
        "equals amax / 7 whatever bits is": largest / 7,
    }
    scale = expect.symmetric_scale(scale, largest, bits, lookalikes)
    expect.codes(q, weight, scale.repeat_interleave(group_size, dim=1), bits=bits)


def one_scale(scale):
    """A quantizer's scale: a float32 tensor with one element."""
    scale = expect.tensor(scale, "scale", dtype=torch.float32)
    return scale.reshape(()) if scale.numel() == 1 else scale


def parameters_of(quantizer, symmetric, lo, hi, bits=8):
    """(scale, zero point) of a quantizer that was calibrated on data from lo to hi, checked."""
    scale, zero_point = quantizer.read("scale", "zero_point")
    if not symmetric:
        scale = expect.asymmetric_scale(one_scale(scale), lo, hi, bits)
        return scale, expect.zero_point(zero_point, lo, scale, bits)
    scale = expect.symmetric_scale(one_scale(scale), torch.tensor(max(-lo, hi)), bits)
    zero_point = expect.integer(zero_point, "zero point")
    expect.that(zero_point == 0, "the zero point of a symmetric quantizer is not 0")
    return scale, zero_point


# ------------------------------------------------------------------ 1.1 symmetric_quantization


@pytest.mark.task("1.1", item="values")
def test_symmetric_by_hand(student):
    """±1.27 on the levels −127…127 makes steps of 0.01: 0.507 is 50.7 steps, stored as 51."""
    x = torch.tensor([0.0, 0.507, -0.334, 1.27, -1.188])
    check_symmetric(student.symmetric_quantization(x), x)  # q = [0, 51, -33, 127, -119]


@pytest.mark.task("1.1", item="values")
def test_symmetric_largest_magnitude_may_be_negative(student, rng):
    """The value farthest from zero sets the scale, here −3; `bits` sets the levels: ±127, ±7, ±1."""
    for bits, shape in ((8, (4, 6)), (4, (24,)), (2, (2, 3, 2, 2))):
        x = between(-3.0, 1.7, shape, rng)
        check_symmetric(student.symmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.1", item="extremes")
def test_symmetric_zeros(student):
    """All-zero data gets a usable scale (finite, positive) and codes 0."""
    q, scale = expect.results(student.symmetric_quantization(torch.zeros(2, 3)), "q", "scale")
    expect.codes(q, torch.zeros(2, 3), expect.usable_scale(scale))


@pytest.mark.task("1.1", item="extremes")
def test_symmetric_constant_data(student):
    """Equal values, or a single one, are no special case: 5, 5, 5 gets the scale 5 / 127 and codes 127."""
    for x in constants():
        for bits in (8, 3):
            check_symmetric(student.symmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.1", item="inputs")
def test_symmetric_precision(student, rng):
    """float16 and bfloat16 data is quantized in float32 arithmetic, small data as finely as any; scales are float32."""
    for x in delicate((24, 40), rng):
        check_symmetric(student.symmetric_quantization(x), x)


@pytest.mark.task("1.1", item="inputs")
def test_symmetric_of_views(student, rng):
    """A transposed, sliced or expanded tensor is quantized as its contiguous copy is."""
    for what, x in expect.layouts(between(-3.0, 1.7, (3, 4, 5), rng)):
        found = expect.layout_call(student.symmetric_quantization, x, what=what)
        check_symmetric(found, x.contiguous())


@pytest.mark.task("1.1", item="inputs")
def test_symmetric_on_device(student, rng, device):
    """The work is done, and the results live, where the data lives (also on a simulated GPU); no step an element."""
    x = between(-1.7, 3.0, (12, 96), rng)
    on = x.to(device)
    q, scale = expect.results(expect.device_call(student.symmetric_quantization, on), "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    check_symmetric((q, scale), x)


@pytest.mark.task("1.1", item="state")
def test_symmetric_leaves_its_input(student, rng):
    """The data is not modified."""
    student.symmetric_quantization(between(-1.7, 3.0, (4, 5), rng))
    expect.inputs_unchanged(student)


@pytest.mark.task("1.1", item="errors")
def test_symmetric_refuses_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError."""
    x = torch.tensor([1.0, -2.0])
    for bits in NOT_BITS:
        call = partial(student.symmetric_quantization, x, bits=bits)
        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("1.1", item="errors")
def test_symmetric_refuses_unusable_data(student, rng):
    """One NaN or infinity would spoil the scale, and with it every value, silently; a ValueError says so."""
    for because, x in unusable((2, 3), rng):
        expect.raises(ValueError, partial(student.symmetric_quantization, x), because=because, named=True)


# ------------------------------------------------------------------ 1.2 asymmetric_quantization


@pytest.mark.task("1.2", item="values")
def test_asymmetric_by_hand(student):
    """−0.953…1.597 is 255 steps of 0.01; 0 lies 95.3 steps above the lowest value, so it is code 95."""
    x = torch.tensor([-0.953, 0.0, 0.113, 0.306, 1.597])
    check_asymmetric(student.asymmetric_quantization(x), x)  # q = [0, 95, 106, 126, 255]


@pytest.mark.task("1.2", item="values")
def test_asymmetric_range_contains_zero(student):
    """5…10 is widened to 0…10: otherwise the zero point would be −255, and no uint8 holds that."""
    x = torch.tensor([5.0, 7.05, 10.0])
    check_asymmetric(student.asymmetric_quantization(x), x)  # q = [127 or 128, 180, 255], zero point 0


@pytest.mark.task("1.2", item="values")
def test_asymmetric_levels_follow_bits(student, rng):
    """`bits` levels: 0…255, 0…15, 0…3."""
    x = between(-0.94, 2.2, (4, 6), rng)
    for bits in (8, 4, 2):
        check_asymmetric(student.asymmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.2", item="values")
def test_asymmetric_ends_of_the_range(student, rng):
    """In −1.9…1.9 the ends lie half a level outside, and round to 256 or −1: they are clamped, and wrap nowhere."""
    for largest in (1.9, 0.31, 47.0, 5.3):
        for bits in (8, 5):
            x = between(-largest, largest, (3, 7), rng)
            q, *_ = expect.results(student.asymmetric_quantization(x, bits=bits), "q", "scale", "zero_point")
            q, top = expect.tensor(q, "q", dtype=torch.uint8, shape=x.shape).flatten().long(), 2**bits - 1
            fits = int(q.max()) <= top and int(q[x.argmax()]) >= top - 1 and int(q[x.argmin()]) <= 1
            expect.that(
                fits, "an end of the range wraps around or lies beyond the levels: clamp after the zero point is added"
            )


@pytest.mark.task("1.2", item="extremes")
def test_asymmetric_zeros(student):
    """All-zero data gets a usable scale, and its codes equal the zero point: exactly 0 when restored."""
    found = expect.results(student.asymmetric_quantization(torch.zeros(2, 3)), "q", "scale", "zero_point")
    scale, zero_point = expect.usable_scale(found[1]), expect.integer(found[2], "zero point")
    expect.codes(found[0], torch.zeros(2, 3), scale, zero_point, signed=False)


@pytest.mark.task("1.2", item="extremes")
def test_asymmetric_constant_data(student):
    """Equal values, or a single one, are no special case: the range of 5, 5, 5 is 0…5, that of −2.6 is −2.6…0."""
    for x in constants():
        for bits in (8, 3):
            check_asymmetric(student.asymmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.2", item="inputs")
def test_asymmetric_precision(student, rng):
    """float16 and bfloat16 data is quantized in float32 arithmetic, small data as finely as any; scales are float32."""
    wide = between(-47000.0, 45000.0, (8, 32), rng).to(torch.float16)  # hi − lo overflows float16
    for x in (*delicate((24, 40), rng), wide):
        check_asymmetric(student.asymmetric_quantization(x), x)


@pytest.mark.task("1.2", item="inputs")
def test_asymmetric_of_views(student, rng):
    """A transposed, sliced or expanded tensor is quantized as its contiguous copy is."""
    for what, x in expect.layouts(between(-3.0, 1.7, (3, 4, 5), rng)):
        found = expect.layout_call(student.asymmetric_quantization, x, what=what)
        check_asymmetric(found, x.contiguous())


@pytest.mark.task("1.2", item="inputs")
def test_asymmetric_on_device(student, rng, device):
    """The work is done, and the results live, where the data lives (also on a simulated GPU); no step an element."""
    x = between(-1.7, 3.0, (12, 96), rng)
    on = x.to(device)
    found = expect.device_call(student.asymmetric_quantization, on)
    found = expect.results(found, "q", "scale", "zero_point")
    expect.on_device(student, on, q=found[0], scale=found[1], zero_point=found[2])
    check_asymmetric(found, x)


@pytest.mark.task("1.2", item="state")
def test_asymmetric_leaves_its_input(student, rng):
    """The data is not modified."""
    student.asymmetric_quantization(between(-1.7, 3.0, (4, 5), rng))
    expect.inputs_unchanged(student)


@pytest.mark.task("1.2", item="errors")
def test_asymmetric_refuses_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError."""
    x = torch.tensor([1.0, -2.0])
    for bits in NOT_BITS:
        call = partial(student.asymmetric_quantization, x, bits=bits)
        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("1.2", item="errors")
def test_asymmetric_refuses_unusable_data(student, rng):
    """NaN and infinities have no place in a range, and no data has none: a ValueError."""
    for because, x in unusable((2, 3), rng):
        expect.raises(ValueError, partial(student.asymmetric_quantization, x), because=because, named=True)


# ------------------------------------------------------------------ 1.3 dequantize


@pytest.mark.task("1.3", item="values")
def test_dequantize_by_hand(student):
    """Codes −4, 0 and 6 in steps of 0.5 are −2, 0 and 3; without a zero point it is 0."""
    q = torch.tensor([-4, 0, 6], dtype=torch.int8)
    restored = student.dequantize(q, torch.tensor(0.5))
    restored = expect.tensor(restored, "the result", dtype=torch.float32, shape=(3,))
    expect.close(restored, torch.tensor([-2.0, 0.0, 3.0]), "the result")


@pytest.mark.task("1.3", item="values")
def test_dequantize_below_the_zero_point(student):
    """Code 98 lies two steps below the zero point 100, so it is −1.0; uint8 itself knows no −2."""
    q = torch.tensor([98, 100, 103], dtype=torch.uint8)
    restored = student.dequantize(q, torch.tensor(0.5), 100)
    restored = expect.tensor(restored, "the result", dtype=torch.float32, shape=(3,))
    lookalikes = {
        "wrapped around in uint8: convert before subtracting": torch.tensor([127.0, 0.0, 1.5]),
        "ignores the zero point": torch.tensor([49.0, 50.0, 51.5]),
        "adds the zero point; dequantizing subtracts it": torch.tensor([99.0, 100.0, 101.5]),
        "subtracts the zero point after scaling": torch.tensor([-51.0, -50.0, -48.5]),
    }
    expect.close(restored, torch.tensor([-1.0, 0.0, 1.5]), "the result", lookalikes=lookalikes)


@pytest.mark.task("1.3", item="values")
def test_dequantize_by_rows(student, rng):
    """A scale and a zero point for each row, or each column, broadcast as torch does; the result is float32."""
    q = torch.tensor([[2, 5], [0, 4]], dtype=torch.uint8)
    scale, zero_point = torch.tensor([[0.5], [2.0]]), torch.tensor([[3], [1]])
    found = student.dequantize(q, scale, zero_point)
    found = expect.tensor(found, "the result", dtype=torch.float32, shape=(2, 2))
    expect.close(found, torch.tensor([[-0.5, 1.0], [-2.0, 6.0]]), "the result")
    q = torch.randint(0, 256, (3, 2, 5), generator=rng, dtype=torch.uint8)
    for shape in ((3, 1, 1), (2, 1), (5,)):
        scale = torch.rand(shape, generator=rng) + 0.1
        zero_point = torch.randint(0, 256, shape, generator=rng, dtype=torch.int32)
        for offset in (zero_point, 77):
            check_restored(student.dequantize(q, scale, offset), q, scale, offset)


@pytest.mark.task("1.3", item="values")
def test_dequantize_every_code(student):
    """All 256 codes, signed and unsigned, with a scale that half precision would spoil."""
    scale = torch.tensor(0.0213)
    for q, zero_point in ((torch.arange(-128, 128, dtype=torch.int8), 0), (torch.arange(256, dtype=torch.uint8), 201)):
        check_restored(student.dequantize(q.reshape(4, 64), scale, zero_point), q.reshape(4, 64), scale, zero_point)


@pytest.mark.task("1.3", item="inputs")
def test_dequantize_zero_point_dtypes(student):
    """A zero point tensor of any integer dtype, also that of the codes, does not overflow."""
    q, scale = torch.tensor([0, 9, 130, 255], dtype=torch.uint8), torch.tensor(0.5)
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
        check_restored(student.dequantize(q, scale, torch.tensor(190, dtype=dtype)), q, scale, 190)
    q = torch.tensor([-128, -2, 127], dtype=torch.int8)
    check_restored(student.dequantize(q, scale, 90), q, scale, 90)
    check_restored(student.dequantize(q, scale, torch.tensor(-90, dtype=torch.int8)), q, scale, -90)


@pytest.mark.task("1.3", item="inputs")
def test_dequantize_views(student, rng):
    """Transposed, sliced and expanded codes are restored as their contiguous copies are."""
    scale = torch.rand((3, 1, 1), generator=rng) + 0.1
    for what, q in expect.layouts(torch.randint(0, 256, (3, 4, 5), generator=rng, dtype=torch.uint8)):
        check_restored(expect.layout_call(student.dequantize, q, scale, 44, what=what), q.contiguous(), scale, 44)


@pytest.mark.task("1.3", item="inputs")
def test_dequantize_on_device(student, rng, device):
    """The work is done, and the result lives, where the codes live (also on a simulated GPU); no step an element."""
    q = torch.randint(0, 256, (8, 160), generator=rng, dtype=torch.uint8)
    scale = torch.rand((8, 1), generator=rng) + 0.1
    on = q.to(device)
    for zero_point in (61, torch.full((8, 1), 61, dtype=torch.int32).to(device)):
        restored = expect.device_call(student.dequantize, on, scale.to(device), zero_point)
        expect.on_device(student, on, restored=restored)
        check_restored(restored, q, scale, 61)


@pytest.mark.task("1.3", item="extremes")
def test_dequantize_zero_is_exact(student, rng):
    """The zero point's own code is restored to exactly 0, whatever the scale; a single code of no dimension, too."""
    q, scale = torch.full((4, 1), 91, dtype=torch.uint8), torch.rand((4, 1), generator=rng) + 0.01
    restored = expect.tensor(student.dequantize(q, scale, 91), "the result", dtype=torch.float32, shape=(4, 1))
    expect.that(bool((restored == 0).all()), "the zero point's code is not restored to exactly 0")
    q, scale = torch.tensor(-7, dtype=torch.int8), torch.tensor(0.3)
    check_restored(student.dequantize(q, scale), q, scale)


@pytest.mark.task("1.3", item="state")
def test_dequantize_leaves_its_input(student):
    """Codes, scale and zero point are unchanged afterwards."""
    q, scale = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8), torch.tensor([[0.5], [2.0]])
    student.dequantize(q, scale, torch.tensor([[3], [1]]))
    expect.inputs_unchanged(student)


# ------------------------------------------------------------------ 1.4 BasicQuantizer


@pytest.mark.task("1.4", item="values")
def test_quantizer_by_hand(student):
    """Calibrated on ±1.27, new data is stored in steps of 0.01 and restored from them."""
    quantizer = student.BasicQuantizer()
    quantizer.calibrate(torch.tensor([0.3, -1.27, 0.9]))
    scale = expect.symmetric_scale(one_scale(quantizer.scale), torch.tensor(1.27), bits=8)
    expect.that(expect.integer(quantizer.zero_point, "zero point") == 0, "a symmetric zero point is not 0")
    x = torch.tensor([[0.507, -0.334], [0.0, 1.0]])
    own_range = {"follows the range of the new data, not the calibrated one": (x * 127).round()}
    expect.codes(quantizer.quantize(x), x, scale, lookalikes=own_range)  # [[51, -33], [0, 100]]
    restored = quantizer.dequantize(torch.tensor([51, -33], dtype=torch.int8))
    restored = expect.tensor(restored, "the restored tensor", shape=(2,))
    expect.close(restored, torch.tensor([0.51, -0.33]), "the restored tensor")


@pytest.mark.task("1.4", item="values")
def test_quantizer_asymmetric(student):
    """With symmetric=False: uint8 codes, and 0 lies at the zero point, here 95."""
    quantizer = student.BasicQuantizer(symmetric=False)
    quantizer.calibrate(torch.tensor([-0.953, 0.2, 1.597]))
    scale = expect.asymmetric_scale(one_scale(quantizer.scale), -0.953, 1.597, bits=8)
    zero_point = expect.zero_point(quantizer.zero_point, -0.953, scale, bits=8)
    x = torch.tensor([0.0, 0.113, -0.5])
    own_range = {"follows the range of the new data, not the calibrated one": torch.tensor([208, 255, 0])}
    q = quantizer.quantize(x)
    expect.codes(q, x, scale, zero_point, signed=False, lookalikes=own_range)  # [95, 106, 45]
    restored = quantizer.dequantize(torch.tensor([95, 106, 45], dtype=torch.uint8))
    restored = expect.tensor(restored, "the restored tensor", shape=(3,))
    lookalikes = {
        "wrapped around in uint8: convert before subtracting": torch.tensor([0.0, 0.11, 2.06]),
        "ignores the zero point": torch.tensor([0.95, 1.06, 0.45]),
        "adds the zero point; dequantizing subtracts it": torch.tensor([1.9, 2.01, 1.4]),
        "subtracts the zero point after scaling": torch.tensor([-94.05, -93.94, -94.55]),
    }
    want = torch.tensor([0.0, 0.11, -0.5])
    expect.close(restored, want, "the restored tensor", atol=1e-6, lookalikes=lookalikes)


@pytest.mark.task("1.4", item="values")
def test_quantizer_saturates(student):
    """New data beyond the calibrated range takes the last level: 3 becomes 127 when ±1.27 was calibrated."""
    quantizer = student.BasicQuantizer()
    quantizer.calibrate(torch.tensor([1.27, -0.2]))
    x = torch.tensor([3.0, 0.5, -3.0])
    own_range = {"follows the range of the new data, not the calibrated one": (x * 127 / 3).round()}
    q = quantizer.quantize(x)
    expect.codes(q, x, torch.tensor(0.01), lookalikes=own_range)  # [127, 50, -127 or -128]


@pytest.mark.task("1.4", item="values")
def test_quantizer_follows_bits(student, rng):
    """`bits` sets the levels, symmetric or not, and a range on one side of zero is widened to contain it."""
    for symmetric in (True, False):
        for bits, (lo, hi) in ((4, (-0.61, 1.44)), (3, (2.3, 6.6)), (8, (-5.1, -1.2))):
            quantizer = student.BasicQuantizer(bits=bits, symmetric=symmetric)
            quantizer.calibrate(between(lo, hi, (4, 5), rng))
            scale, zero_point = parameters_of(quantizer, symmetric, lo, hi, bits)
            x = between(-7.0, 9.0, (2, 3, 4), rng)
            expect.codes(quantizer.quantize(x), x, scale, zero_point, bits=bits, signed=symmetric)


@pytest.mark.task("1.4", item="values")
def test_quantizer_restores(student):
    """All codes are restored with the calibrated scale and zero point."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        quantizer.calibrate(torch.tensor([-0.73, 0.1, 1.21]))
        scale, zero_point = parameters_of(quantizer, symmetric, -0.73, 1.21)
        q = torch.arange(-127, 128, dtype=torch.int8) if symmetric else torch.arange(256, dtype=torch.uint8)
        check_restored(quantizer.dequantize(q), q, scale, zero_point)


@pytest.mark.task("1.4", item="extremes")
def test_quantizer_zeros(student):
    """Calibrated on zeros, it stores and restores exactly zero."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        quantizer.calibrate(torch.zeros(5))
        expect.usable_scale(one_scale(quantizer.scale))
        q = expect.tensor(
            quantizer.quantize(torch.zeros(2, 2)), "q", dtype=torch.int8 if symmetric else torch.uint8, shape=(2, 2)
        )
        restored = expect.tensor(quantizer.dequantize(q), "the restored tensor", shape=(2, 2))
        expect.that(bool((restored == 0).all()), "zeros are not restored to exactly 0")


@pytest.mark.task("1.4", item="extremes")
def test_quantizer_constant_data(student):
    """Equal values, or a single one, are no special case: the range of 5, 5, 5 is ±5, or 0…5."""
    for symmetric in (True, False):
        for data in constants():
            for bits in (8, 3):
                quantizer = student.BasicQuantizer(bits=bits, symmetric=symmetric)
                quantizer.calibrate(data)
                value = float(data.max())
                scale, zero_point = parameters_of(quantizer, symmetric, value, value, bits)
                x = torch.tensor([value, 0.0, 0.513 * value, -value])
                expect.codes(quantizer.quantize(x), x, scale, zero_point, bits=bits, signed=symmetric)


@pytest.mark.task("1.4", item="inputs")
def test_quantizer_precision(student, rng):
    """float16 and bfloat16 data is quantized in float32 arithmetic, small data as finely as any; scales are float32."""
    for symmetric in (True, False):
        for data in delicate((24, 40), rng):
            quantizer = student.BasicQuantizer(symmetric=symmetric)
            quantizer.calibrate(data)
            scale, zero_point = parameters_of(quantizer, symmetric, float(data.min()), float(data.max()))
            expect.codes(quantizer.quantize(data), data.float(), scale, zero_point, signed=symmetric)


@pytest.mark.task("1.4", item="inputs")
def test_quantizer_of_views(student, rng):
    """Transposed, sliced and expanded tensors are calibrated on, quantized and restored as contiguous copies are."""
    for symmetric in (True, False):
        for what, x in expect.layouts(between(-1.3, 2.9, (3, 4, 5), rng)):
            quantizer = student.BasicQuantizer(symmetric=symmetric)
            expect.layout_call(quantizer.calibrate, x, what=what)
            scale, zero_point = parameters_of(quantizer, symmetric, float(x.min()), float(x.max()))
            q = expect.layout_call(quantizer.quantize, x, what=what)
            q = expect.codes(q, x.contiguous(), scale, zero_point, signed=symmetric)
            for name, codes in expect.layouts(q.to(torch.int8 if symmetric else torch.uint8)):
                restored = expect.layout_call(quantizer.dequantize, codes, what=name)
                check_restored(restored, codes.contiguous(), scale, zero_point)


@pytest.mark.task("1.4", item="inputs")
def test_quantizer_on_device(student, rng, device):
    """Scale, zero point, codes and restored values live where the data lives (also on a simulated GPU)."""
    x = between(-1.1, 2.3, (12, 96), rng)
    on = x.to(device)
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        expect.device_call(quantizer.calibrate, on)
        expect.on_device(student, on)
        expect.on_device(student, on, scale=quantizer.scale, zero_point=0 if symmetric else quantizer.zero_point)
        scale, zero_point = parameters_of(quantizer, symmetric, -1.1, 2.3)
        q = expect.device_call(quantizer.quantize, on)
        expect.on_device(student, on, q=q)
        expect.codes(q, x, scale, zero_point, signed=symmetric)
        restored = expect.device_call(quantizer.dequantize, q)
        expect.on_device(student, on, restored=restored)
        check_restored(restored, expect.tensor(q, "q"), scale, zero_point)


@pytest.mark.task("1.4", item="state")
def test_quantizer_leaves_its_inputs(student, rng):
    """Neither calibration, nor quantizing, nor restoring modifies what it is given."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        quantizer.calibrate(between(-1.0, 2.0, (3, 5), rng))
        expect.inputs_unchanged(student)
        quantizer.quantize(between(-3.0, 3.0, (3, 5), rng))
        expect.inputs_unchanged(student)
        quantizer.dequantize(torch.tensor([4, 2, 9], dtype=torch.int8 if symmetric else torch.uint8))
        expect.inputs_unchanged(student)


@pytest.mark.task("1.4", item="errors")
def test_quantizer_needs_calibration(student):
    """Before `calibrate` there is no scale: `quantize` and `dequantize` are a RuntimeError."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        q = torch.tensor([3, 1], dtype=torch.int8 if symmetric else torch.uint8)
        quantize, restore = partial(quantizer.quantize, q.float()), partial(quantizer.dequantize, q)
        expect.raises(RuntimeError, quantize, because="quantize came before calibrate")
        expect.raises(RuntimeError, restore, because="dequantize came before calibrate")


@pytest.mark.task("1.4", item="errors")
def test_quantizer_refuses_unusable_calibration(student, rng):
    """Calibrating with NaN, either infinity, or no data at all is a ValueError."""
    for symmetric in (True, False):
        for because, x in unusable((2, 3), rng):
            quantizer = student.BasicQuantizer(symmetric=symmetric)
            expect.raises(ValueError, partial(quantizer.calibrate, x), because=because, named=True)


@pytest.mark.task("1.4", item="values")
def test_quantizer_calibrates_anew(student):
    """A second `calibrate` replaces the first, also when its data is smaller; each quantizer has its own."""
    quantizer, other = student.BasicQuantizer(), student.BasicQuantizer(symmetric=False)
    quantizer.calibrate(torch.tensor([12.7, -3.0]))
    quantizer.calibrate(torch.tensor([1.27, -0.2]))
    first = {"is still that of the first calibrate": torch.tensor(0.1)}
    expect.symmetric_scale(one_scale(quantizer.scale), torch.tensor(1.27), 8, first)
    for lo, hi in ((-0.31, 4.1), (-2.2, -0.9), (-0.7, 0.2), (0.4, 1.8)):
        other.calibrate(torch.tensor([lo, hi]))
        parameters_of(other, False, lo, hi)
    x = torch.tensor([0.507, -0.334])
    expect.codes(quantizer.quantize(x), x, torch.tensor(0.01))


@pytest.mark.task("1.4", item="errors")
def test_quantizer_refuses_other_bits(student):
    """`bits` outside 2…8 is a ValueError, at the latest on first use, symmetric or not."""

    def use(bits, symmetric):
        quantizer = student.BasicQuantizer(bits=bits, symmetric=symmetric)
        quantizer.calibrate(torch.tensor([1.0, -2.0]))
        quantizer.quantize(torch.tensor([1.0, -2.0]))

    for symmetric in (True, False):
        for bits in NOT_BITS:
            expect.raises(ValueError, partial(use, bits, symmetric), because=f"bits was {bits}")


# ------------------------------------------------------------------ 1.5 per_channel_quantization


@pytest.mark.task("1.5", item="values")
def test_per_channel_by_hand(student):
    """Axis 0 keeps the rows: ±1.27 and ±254 get the steps 0.01 and 2, shaped [2, 1]."""
    weight = torch.tensor([[1.27, -0.507, 0.334], [-25.4, 254.0, 101.0]])
    q, scale = expect.results(student.per_channel_quantization(weight), "q", "scale")
    scale = expect.symmetric_scale(scale, torch.tensor([[1.27], [254.0]]), bits=8)
    expect.codes(q, weight, scale)  # [[127, -51, 33], [-13, 127, 50 or 51]]


@pytest.mark.task("1.5", item="values")
def test_per_channel_keeps_the_axis_it_is_given(student, rng):
    """Axis 1 keeps the columns, as for GPT-2's Conv1D weights [in, out]: the scale is [1, 4]."""
    weight = between(-1.0, 1.0, (3, 4), rng) * torch.tensor([1.0, 30.0, 0.1, 5.0])
    check_per_channel(student.per_channel_quantization(weight, bits=4, axis=1), weight, 1, bits=4)


@pytest.mark.task("1.5", item="values")
def test_per_channel_of_a_convolution(student, rng):
    """Any axis of three or four dimensions, as of a convolution's weight, and any number of bits."""
    for shape, axis, bits in (((3, 2, 4, 3), 0, 8), ((3, 2, 4, 3), 2, 5), ((4, 3, 2), 1, 2), ((3, 3), 1, 6)):
        width = [-1 if d == axis else 1 for d in range(len(shape))]
        x = between(-0.9, 1.0, shape, rng) * 3.0 ** torch.arange(shape[axis]).reshape(width)
        check_per_channel(student.per_channel_quantization(x, bits=bits, axis=axis), x, axis, bits)


@pytest.mark.task("1.5", item="values")
def test_per_channel_negative_axis(student, rng):
    """A negative axis counts from the last one: −1 is the last."""
    x = between(-0.9, 1.0, (3, 2, 4), rng) * 5.0 ** torch.arange(4)
    for axis in (-1, -2, -3):
        check_per_channel(student.per_channel_quantization(x, axis=axis), x, axis)


@pytest.mark.task("1.5", item="extremes")
def test_per_channel_zero_channel(student):
    """A channel that is all zero gets a usable scale and codes 0; the others keep theirs."""
    weight = torch.tensor([[0.0, 0.0, 0.0], [1.27, -0.507, 0.334]])
    q, scale = expect.results(student.per_channel_quantization(weight), "q", "scale")
    scale = expect.usable_scale(scale, shape=(2, 1))
    expect.close(scale[1], torch.tensor([0.01]), "scale of the other channel")
    expect.codes(q, weight, scale)


@pytest.mark.task("1.5", item="extremes")
def test_per_channel_constant_data(student):
    """Channels whose values are equal, and channels of one value, follow the same rules as others."""
    rows = torch.tensor([[5.0, 5.0, 5.0], [-2.5, -2.5, -2.5]])
    for x in (rows, torch.tensor([[3.0], [-0.7]]), torch.ones(1, 1), torch.full((2, 2, 3), 0.43)):
        check_per_channel(student.per_channel_quantization(x), x)
    check_per_channel(student.per_channel_quantization(rows.t().contiguous(), axis=1), rows.t().contiguous(), 1)


@pytest.mark.task("1.5", item="inputs")
def test_per_channel_precision(student, rng):
    """float16 and bfloat16 weights are quantized in float32 arithmetic, small ones as finely; scales are float32."""
    for x in delicate((4, 240), rng):
        check_per_channel(student.per_channel_quantization(x), x)


@pytest.mark.task("1.5", item="inputs")
def test_per_channel_of_views(student, rng):
    """Transposed, sliced and expanded weights are quantized as their contiguous copies are, whichever axis is kept."""
    for axis in (0, 1, -1):
        for what, x in expect.layouts(between(-3.0, 1.7, (3, 4, 5), rng)):
            found = expect.layout_call(student.per_channel_quantization, x, axis=axis, what=what)
            check_per_channel(found, x.contiguous(), axis)


@pytest.mark.task("1.5", item="inputs")
def test_per_channel_on_device(student, rng, device):
    """The work is done, and the results live, where the weights live (also on a simulated GPU); no step an element."""
    x = between(-1.0, 2.0, (4, 512), rng) * torch.tensor([[2.0], [0.03], [5.0], [90.0]])
    on = x.to(device)
    q, scale = expect.results(expect.device_call(student.per_channel_quantization, on), "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    check_per_channel((q, scale), x)


@pytest.mark.task("1.5", item="state")
def test_per_channel_leaves_its_input(student, rng):
    """The weights are not modified, whichever axis is kept."""
    for axis in (0, 1):
        student.per_channel_quantization(between(-2.0, 1.0, (3, 5), rng), axis=axis)
        expect.inputs_unchanged(student)


@pytest.mark.task("1.5", item="errors")
def test_per_channel_refuses_unusable_data(student, rng):
    """NaN or infinity in any channel, or no data at all, is a ValueError."""
    for because, x in unusable((2, 3), rng):
        expect.raises(ValueError, partial(student.per_channel_quantization, x), because=because, named=True)


@pytest.mark.task("1.5", item="errors")
def test_per_channel_refuses_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError."""
    x = torch.tensor([[1.0, -2.0], [0.5, 0.3]])
    for bits in NOT_BITS:
        call = partial(student.per_channel_quantization, x, bits=bits)
        expect.raises(ValueError, call, because=f"bits was {bits}")


# ------------------------------------------------------------------ 1.6 group_quantization


@pytest.mark.task("1.6", item="values")
def test_groups_by_hand(student):
    """Groups of two in a row of four: ±0.7 and ±14 on the levels −7…7 get the steps 0.1 and 2."""
    weight = torch.tensor([[0.7, -0.33, 14.0, -6.6], [7.0, 1.8, -0.07, 0.052]])
    found = student.group_quantization(weight, bits=4, group_size=2)
    q, scale = expect.results(found, "q", "scale")
    scale = expect.symmetric_scale(scale, torch.tensor([[0.7, 14.0], [7.0, 0.07]]), bits=4)
    spread = torch.stack([scale, scale], dim=2).flatten(1)  # each scale over its two weights
    expect.codes(q, weight, spread, bits=4)  # [[7, -3, 7, -3], [7, 2, -7, 5]]


@pytest.mark.task("1.6", item="values")
def test_groups_of_128_by_default(student, rng):
    """By default 4 bits and groups of 128: 256 inputs make two scales a row."""
    weight = between(-1.0, 1.0, (3, 256), rng)
    check_groups(student.group_quantization(weight), weight, 128)


@pytest.mark.task("1.6", item="values")
def test_groups_of_other_sizes(student, rng):
    """Any number of bits and any group size that divides the row: a single weight, the whole row."""
    weight = between(-0.9, 1.0, (3, 12), rng) * 2.0 ** torch.arange(12)
    for bits, group_size in ((8, 4), (2, 6), (3, 12), (5, 2), (6, 1)):
        found = student.group_quantization(weight, bits=bits, group_size=group_size)
        check_groups(found, weight, group_size, bits)


@pytest.mark.task("1.6", item="errors")
def test_groups_must_fill_the_row(student):
    """Six inputs are not a whole number of groups of four, nor one of eight: a ValueError."""
    for group_size, rows in ((4, 2), (8, 4), (12, 2)):
        weight = torch.arange(1.0, 7.0).repeat(rows, 1)
        call = partial(student.group_quantization, weight, group_size=group_size)
        expect.raises(ValueError, call, because="the input width was no multiple of group_size")


@pytest.mark.task("1.6", item="extremes")
def test_groups_zero_group(student):
    """A group that is all zero gets a usable scale and codes 0."""
    weight = torch.tensor([[0.0, 0.0, 0.7, -0.33]])
    q, scale = expect.results(student.group_quantization(weight, group_size=2), "q", "scale")
    scale = expect.usable_scale(scale, shape=(1, 2))
    expect.close(scale[:, 1], torch.tensor([0.1]), "scale of the other group")
    expect.codes(q, weight, torch.stack([scale, scale], dim=2).flatten(1), bits=4)


@pytest.mark.task("1.6", item="extremes")
def test_groups_constant_data(student):
    """Groups whose values are equal, and a weight of one element, follow the same rules as others."""
    for weight, group_size in ((torch.tensor([[5.0, 5.0, -2.5, -2.5]]), 2), (torch.tensor([[0.7]]), 1)):
        for bits in (4, 8):
            found = student.group_quantization(weight, bits=bits, group_size=group_size)
            check_groups(found, weight, group_size, bits)


@pytest.mark.task("1.6", item="inputs")
def test_groups_precision(student, rng):
    """float16 and bfloat16 weights are quantized in float32 arithmetic, small ones as finely; scales are float32."""
    for weight in delicate((4, 240), rng):
        check_groups(student.group_quantization(weight, bits=8, group_size=40), weight, 40, 8)


@pytest.mark.task("1.6", item="inputs")
def test_groups_of_views(student, rng):
    """Transposed, sliced and expanded weights are quantized as their contiguous copies are."""
    for what, weight in expect.layouts(between(-3.0, 1.7, (6, 8), rng)):
        found = expect.layout_call(student.group_quantization, weight, group_size=4, what=what)
        check_groups(found, weight.contiguous(), 4)


@pytest.mark.task("1.6", item="inputs")
def test_groups_on_device(student, rng, device):
    """The work is done, and the results live, where the weights live (also on a simulated GPU); no step an element."""
    weight = between(-1.0, 2.0, (2, 768), rng)
    on = weight.to(device)
    found = expect.device_call(student.group_quantization, on, group_size=256)
    q, scale = expect.results(found, "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    check_groups((q, scale), weight, 256)


@pytest.mark.task("1.6", item="state")
def test_groups_leave_their_input(student, rng):
    """The weights are not modified."""
    student.group_quantization(between(-2.0, 1.0, (3, 8), rng), group_size=2)
    expect.inputs_unchanged(student)


@pytest.mark.task("1.6", item="errors")
def test_groups_refuse_unusable_data(student, rng):
    """NaN or infinity in any group, or no data at all, is a ValueError."""
    for because, x in unusable((2, 4), rng):
        expect.raises(ValueError, partial(student.group_quantization, x, group_size=2), because=because, named=True)


@pytest.mark.task("1.6", item="errors")
def test_groups_refuse_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError."""
    weight = torch.tensor([[1.0, -2.0], [0.5, 0.3]])
    for bits in NOT_BITS:
        call = partial(student.group_quantization, weight, bits=bits, group_size=2)
        expect.raises(ValueError, call, because=f"bits was {bits}")


# ------------------------------------------------------------------ 1.7 pack_int4, unpack_int4


@pytest.mark.task("1.7", item="values")
def test_pack_by_hand(student):
    """1 and 2 share the byte 0x21: the first value in the low nibble. −1 is 0xF, so −1 and 7 are 0x7F."""
    q = torch.tensor([[1, 2, -1, 7], [-8, 0, 3, -3]], dtype=torch.int8)
    packed = expect.tensor(student.pack_int4(q), "packed", dtype=torch.uint8, shape=(2, 2))
    lookalikes = {
        "has the first value in the high nibble": torch.tensor([[0x12, 0xF7], [0x80, 0x3D]]),
        "stores q + 8, not two's complement": torch.tensor([[0xA9, 0xF7], [0x80, 0x5B]]),
        "pairs the first half of a row with the second": torch.tensor([[0xF1, 0x72], [0x38, 0xD0]]),
        "lets the first value's sign spill into the high nibble": torch.tensor([[0x21, 0xFF], [0xF8, 0xD3]]),
    }
    expect.close(packed, torch.tensor([[0x21, 0x7F], [0x08, 0xD3]]), "packed", lookalikes=lookalikes)


@pytest.mark.task("1.7", item="values")
def test_unpack_by_hand(student):
    """0x21 holds 1 and 2; 0x7F holds −1 and 7: a nibble from 8 to 15 is negative."""
    packed = torch.tensor([0x21, 0x7F, 0x08], dtype=torch.uint8)
    q = expect.tensor(student.unpack_int4(packed), "unpacked", dtype=torch.int8, shape=(6,))
    lookalikes = {
        "is unsigned: the nibbles 8…15 are −8…−1": torch.tensor([1, 2, 15, 7, 8, 0]),
        "takes the nibble 8 for +8; it is −8": torch.tensor([1, 2, -1, 7, 8, 0]),
        "takes the high nibble first": torch.tensor([2, 1, 7, -1, 0, -8]),
        "has all low nibbles first, then all high ones": torch.tensor([1, -1, -8, 2, 7, 0]),
    }
    expect.close(q, torch.tensor([1, 2, -1, 7, -8, 0]), "unpacked", lookalikes=lookalikes)


@pytest.mark.task("1.7", item="values")
def test_pack_and_unpack_any_shape(student):
    """All 256 pairs and their bytes, in one, three or four dimensions: pairs are neighbours in the last one."""
    values = torch.arange(256)
    pairs = torch.stack([values % 16, values // 16], dim=1)
    pairs = torch.where(pairs > 7, pairs - 16, pairs).to(torch.int8)
    for shape in ((256,), (4, 8, 8), (2, 4, 4, 8)):
        q, want = pairs.reshape(*shape[:-1], -1), values.reshape(shape)
        packed = expect.tensor(student.pack_int4(q), "packed", dtype=torch.uint8, shape=shape)
        expect.close(packed, want, "packed")
        unpacked = student.unpack_int4(want.to(torch.uint8))
        expect.close(expect.tensor(unpacked, "unpacked", dtype=torch.int8, shape=q.shape), q, "unpacked")


@pytest.mark.task("1.7", item="errors")
def test_pack_refuses_odd_rows(student):
    """Bytes don't cross rows: an odd last dimension is a ValueError, even if the number of values is even."""
    for shape in ((3,), (2, 3), (4, 1)):
        q = torch.ones(shape, dtype=torch.int8)
        expect.raises(ValueError, partial(student.pack_int4, q), because="the last dimension was odd")


@pytest.mark.task("1.7", item="errors")
def test_pack_refuses_wide_values(student):
    """A value beyond −8…7 is a ValueError, also in a wider dtype: as int8, 260 would be 4."""
    for value in (8, -9, 100, -100):
        q = torch.tensor([1, value], dtype=torch.int8)
        expect.raises(ValueError, partial(student.pack_int4, q), because="a value lay outside −8…7")
    for dtype, value in ((torch.int16, 260), (torch.int32, -254), (torch.int64, 2**32 + 5)):
        because = (
            "a value of a wider dtype lay outside −8…7 (look at the values before they become int8, which wraps them)"
        )
        q = torch.tensor([1, value], dtype=dtype)
        expect.raises(ValueError, partial(student.pack_int4, q), because=because)


@pytest.mark.task("1.7", item="inputs")
def test_pack_and_unpack_views(student, rng):
    """Transposed, sliced and expanded tensors are packed and unpacked as their contiguous copies are."""
    for what, q in expect.layouts(torch.randint(-8, 8, (3, 4, 6), generator=rng, dtype=torch.int8)):
        packed = expect.layout_call(student.pack_int4, q, what=what)
        want = q[..., 0::2].long() % 16 + q[..., 1::2].long() % 16 * 16
        expect.close(expect.tensor(packed, "packed", dtype=torch.uint8, shape=want.shape), want, "packed")
    for what, packed in expect.layouts(torch.randint(0, 256, (3, 4, 3), generator=rng, dtype=torch.uint8)):
        q = expect.layout_call(student.unpack_int4, packed, what=what)
        pairs = torch.stack([packed.long() % 16, packed.long() // 16], dim=-1).flatten(-2)
        want = torch.where(pairs > 7, pairs - 16, pairs)
        expect.close(expect.tensor(q, "unpacked", dtype=torch.int8, shape=want.shape), want, "unpacked")


@pytest.mark.task("1.7", item="inputs")
def test_pack_and_unpack_on_device(student, rng, device):
    """The work is done, and the results live, where the input lives (also on a simulated GPU); no step an element."""
    q = torch.randint(-8, 8, (8, 192), generator=rng, dtype=torch.int8)
    want = q[:, 0::2].long() % 16 + q[:, 1::2].long() % 16 * 16
    on = q.to(device)
    packed = expect.device_call(student.pack_int4, on)
    expect.on_device(student, on, packed=packed)
    expect.close(expect.tensor(packed, "packed", dtype=torch.uint8, shape=want.shape), want, "packed")
    on = want.to(torch.uint8).to(device)
    unpacked = expect.device_call(student.unpack_int4, on)
    expect.on_device(student, on, unpacked=unpacked)
    expect.close(expect.tensor(unpacked, "unpacked", dtype=torch.int8, shape=q.shape), q, "unpacked")


@pytest.mark.task("1.7", item="state")
def test_pack_and_unpack_leave_their_input(student):
    """Neither direction modifies what it is given."""
    student.pack_int4(torch.tensor([[1, -2], [-8, 7]], dtype=torch.int8))
    expect.inputs_unchanged(student)
    student.unpack_int4(torch.tensor([0x21, 0x7F, 0x9C], dtype=torch.uint8))
    expect.inputs_unchanged(student)


# ------------------------------------------------------------------ 1.8 metrics


def decibels(signal, noise):
    """10·log10 of the ratio of powers."""
    return float(10 * torch.log10(signal.double().square().sum() / noise.double().square().sum()))


def row_divergences(logits, others):
    """KL(logits ‖ others) in nats, of each row."""
    log_p, log_q = logits.double().log_softmax(dim=-1), others.double().log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def check_sqnr(value, x, restored):
    """The SQNR of the whole tensor, to 0.001 dB."""
    rows = [decibels(a, a - b) for a, b in zip(x.flatten(0, -2), restored.flatten(0, -2), strict=True)]
    want, noise = decibels(x, x - restored), (x - restored).double()
    lookalikes = {
        "has 20·log10 of a power ratio; 20 belongs to amplitudes": 2 * want,
        "has 10·log10 of amplitudes, not of powers": want / 2,
        "has the natural logarithm": want * math.log(10),
        "is upside down: noise over signal": -want,
        "is in bels; a decibel is a tenth of one": want / 10,
        "takes the restored tensor for the signal": decibels(restored, noise),
        "takes the variance for the power: the mean is part of the signal": float(
            10 * torch.log10(x.double().var() / noise.var())
        ),
        "is the mean of the rows' own ratios": sum(rows) / len(rows),
    }
    expect.close(expect.number(value, "SQNR"), want, "SQNR", atol=1e-3, lookalikes=lookalikes)


def check_cosine(value, a, b):
    """The cosine of the flattened tensors."""
    flat = a.double().flatten(), b.double().flatten()
    centred = [v - v.mean() for v in flat]
    want = float(flat[0] @ flat[1] / (flat[0].norm() * flat[1].norm()))
    lookalikes = {
        "has the means subtracted: that is the correlation": float(
            centred[0] @ centred[1] / (centred[0].norm() * centred[1].norm())
        ),
        "is the plain dot product": float(flat[0] @ flat[1]),
        "is the distance, 1 − cosine": 1 - want,
        "is the mean of the rows' own cosines": float(
            torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=-1).mean()
        ),
    }
    name = "cosine similarity"
    expect.close(expect.number(value, name), want, name, atol=1e-5, lookalikes=lookalikes)


def check_kl(value, logits, others):
    """The mean of the rows' KL(logits ‖ others)."""
    rows = row_divergences(logits, others)
    unnormalised = rows - others.double().logsumexp(dim=-1)
    want, reverse = float(rows.mean()), float(row_divergences(others, logits).mean())
    lookalikes = {
        "is KL(quantized ‖ original); the original comes first": reverse,
        "is in bits (log2) rather than nats": want / math.log(2),
        "is the sum over the rows, not their mean": float(rows.sum()),
        "is averaged over the classes, too; they are summed": want / logits.shape[-1],
        "takes the quantized logits for log-probabilities": float(unnormalised.mean()),
        "divides by the first dimension only; every dimension but the last counts rows": (
            float(rows.sum()) / logits.shape[0]
        ),
    }
    expect.close(expect.number(value, "KL"), want, "KL", rtol=1e-3, atol=1e-6, lookalikes=lookalikes)


def check_metrics(found, x, others):
    """The three metrics of x and others, in the order of `METRICS`."""
    sqnr, cosine, divergence = found
    check_sqnr(sqnr, x, others)
    check_cosine(cosine, x, others)
    check_kl(divergence, x, others)


METRICS = ("compute_sqnr", "compute_cosine_sim", "compute_kl_div")


@pytest.mark.task("1.8", item="values")
def test_sqnr_by_hand(student):
    """A signal power of 9 + 16 against an error power of 1 is 10·log10(25) = 13.98 dB."""
    found = student.compute_sqnr(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 3.0]))
    lookalikes = {
        "has 20·log10 of a power ratio; 20 belongs to amplitudes": 20 * math.log10(25),
        "has 10·log10 of amplitudes, not of powers": 5 * math.log10(25),
        "has the natural logarithm": 10 * math.log(25),
        "is upside down: noise over signal": -10 * math.log10(25),
        "is a plain ratio, not in dB": 25.0,
    }
    expect.close(expect.number(found, "SQNR"), 10 * math.log10(25), "SQNR", atol=1e-3, lookalikes=lookalikes)


@pytest.mark.task("1.8", item="values")
def test_cosine_by_hand(student):
    """[[1, 0], [1, 0]] and [[1, 0], [0, 1]] as flat vectors: 1 / (√2·√2) = 0.5; the length is irrelevant."""
    a, b = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = expect.number(student.compute_cosine_sim(a, 10 * b), "cosine similarity")
    expect.close(found, 0.5, "cosine similarity", lookalikes={"is the plain dot product": 10.0})
    a, b = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0], [1.0, 0.0]])  # 9 / 10, and 1 and 0 by rows
    found = expect.number(student.compute_cosine_sim(a, b), "cosine similarity")
    lookalikes = {"is the mean of the rows' own cosines: flatten the tensors": 0.5}
    expect.close(found, 0.9, "cosine similarity", lookalikes=lookalikes)


@pytest.mark.task("1.8", item="values")
def test_kl_by_hand(student):
    """Logits 0, 0 mean ½, ½, and 0, ln 3 mean ¼, ¾: ½·ln 2 + ½·ln ⅔ = 0.1438 nats; the other row stayed."""
    logits = torch.tensor([[0.0, 0.0], [1.0, 3.0]])
    found = student.compute_kl_div(logits, torch.tensor([[0.0, math.log(3)], [1.0, 3.0]]))
    row = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    lookalikes = {
        "is KL(quantized ‖ original); the original comes first": (math.log(0.5) + 3 * math.log(1.5)) / 8,
        "is in bits (log2) rather than nats": row / 2 / math.log(2),
        "is the sum over the rows, not their mean": row,
        "is averaged over the classes, too; they are summed": row / 4,
        "takes the quantized logits for log-probabilities": (
            (row - math.log(4) - math.log(math.exp(1) + math.exp(3))) / 2
        ),
    }
    expect.close(expect.number(found, "KL"), row / 2, "KL", rtol=1e-3, lookalikes=lookalikes)


@pytest.mark.task("1.8", item="values")
def test_kl_of_sequences(student):
    """A row is a position of a sequence: logits [2, 3, 2] have six rows. One-dimensional logits are one row."""
    row = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    others = torch.tensor([0.0, math.log(3)])
    found = student.compute_kl_div(torch.zeros(2, 3, 2), others.expand(2, 3, 2).contiguous())
    lookalikes = {
        "divides by the first dimension only; every dimension but the last counts rows": 3 * row,
        "is the sum over the rows, not their mean": 6 * row,
        "is averaged over the classes, too; they are summed": row / 2,
    }
    expect.close(expect.number(found, "KL"), row, "KL", rtol=1e-3, lookalikes=lookalikes)
    found = student.compute_kl_div(torch.zeros(2), others)
    expect.close(expect.number(found, "KL of one row"), row, "KL of one row", rtol=1e-3)


@pytest.mark.task("1.8", item="values")
def test_kl_of_large_logits(student):
    """Logits 60, 0 against 0, 60 are 60 nats apart, and logits around 1000 don't overflow: use log-probabilities."""
    logits, others = torch.tensor([[60.0, 0.0]]), torch.tensor([[0.0, 60.0]])
    for offset in (0.0, 1000.0):
        found = expect.number(student.compute_kl_div(logits + offset, others + offset), "KL")
        lookalikes = {"has a floor of 1e-10 on the probabilities": 10 * math.log(10)}
        expect.close(found, 60.0, "KL", rtol=1e-3, lookalikes=lookalikes)


@pytest.mark.task("1.8", item="inputs")
def test_metrics_in_half_precision(student, rng):
    """float16 and bfloat16 inputs are measured in float32: the square of 300 overflows float16."""
    for dtype in (torch.float16, torch.bfloat16):
        x = between(-420.0, 300.0, (4, 24), rng).to(dtype)
        others = (x.float() + between(-3.0, 4.0, (4, 24), rng)).to(dtype)
        check_sqnr(student.compute_sqnr(x, others), x.float(), others.float())
        check_cosine(student.compute_cosine_sim(x, others), x, others)
        logits = (2 * torch.randn((4, 24), generator=rng)).to(dtype)
        near = (logits.float() + 0.2 * torch.randn((4, 24), generator=rng)).to(dtype)
        check_kl(student.compute_kl_div(logits, near), logits, near)


@pytest.mark.task("1.8", item="inputs")
def test_metrics_of_views(student, rng):
    """Transposed, sliced and expanded tensors are measured as their contiguous copies are."""
    x = torch.randn((3, 4, 5), generator=rng)
    others = x + 0.3 * torch.randn((3, 4, 5), generator=rng)
    for (what, a), (_, b) in zip(expect.layouts(x), expect.layouts(others), strict=True):
        found = [expect.layout_call(getattr(student, metric), a, b, what=what) for metric in METRICS]
        check_metrics(found, a.contiguous(), b.contiguous())


@pytest.mark.task("1.8", item="inputs")
def test_metrics_on_device(student, rng, device):
    """Each metric is computed where its inputs live (also on a simulated GPU), without a step for each element."""
    x = between(-1.0, 3.0, (6, 200), rng)
    others = x + between(-0.4, 0.5, (6, 200), rng)
    found = []
    for metric in METRICS:
        found.append(expect.device_call(getattr(student, metric), x.to(device), others.to(device)))
        expect.on_device(student, x.to(device))
    check_metrics(found, x, others)


@pytest.mark.task("1.8", item="state")
def test_metrics_leave_their_inputs(student, rng):
    """No metric modifies what it measures."""
    a, b = between(-1.0, 3.0, (3, 5), rng), between(-2.0, 1.0, (3, 5), rng)
    for metric in METRICS:
        getattr(student, metric)(a, b)
        expect.inputs_unchanged(student)


@pytest.mark.task("1.8", item="extremes")
def test_sqnr_of_equal_tensors(student):
    """No error at all: the SQNR is infinite, also of zeros."""
    for x in (torch.tensor([3.0, -4.0]), torch.zeros(2, 2)):
        found = expect.number(student.compute_sqnr(x, x.clone()), "SQNR")
        odd = ": 0 / 0 is NaN" if math.isnan(found) else ""
        expect.that(found == math.inf, f"the SQNR of equal tensors is not infinite{odd}", f"{found:.6g}")


@pytest.mark.task("1.8", item="extremes")
def test_metrics_of_one_element(student):
    """Two numbers: the signal 3 against the error 1 is 9.54 dB, the cosine 1 or −1, and one class is always certain."""
    a, b = torch.tensor([[3.0]]), torch.tensor([[2.0]])
    for other in (b, -b):
        check_metrics([getattr(student, metric)(a, other) for metric in METRICS], a, other)


@pytest.mark.task("1.8", item="extremes")
def test_kl_of_equal_logits(student):
    """Nothing lost: KL is 0."""
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    found = expect.number(student.compute_kl_div(logits, logits.clone()), "KL of equal logits")
    expect.close(found, 0.0, "KL of equal logits", atol=1e-6)
