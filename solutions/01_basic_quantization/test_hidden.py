"""Hidden tests of exercise 01: what the public tests ask for, with other shapes, ranges and numbers of bits.

Docstrings are what a student reads of a hidden test, so they carry no values.
"""

import math
from functools import partial

import pytest
import torch

from autograder.testing import expect

NOT_BITS = (0, 1, 9, 16, -8, 2.5)


SHAPES = ((60,), (6, 10), (3, 4, 5), (2, 3, 2, 5), (60,), (6, 10), (3, 4, 5))


def between(lo, hi, shape, rng):
    """Random float32 data from `lo` to `hi`, both of which occur."""
    x = torch.rand(shape, generator=rng) * (hi - lo) + lo
    flat = x.view(-1)
    flat[1], flat[-2] = lo, hi
    return x


def delicate(shape, rng):
    """Data that half precision, or a floor on the scale, would spoil; and float64, whose scales are float32, too."""
    small = between(-0.0661, 0.0603, shape, rng)  # neither the range nor its 127th or 255th part is a half
    yield from (small.to(torch.float16), small.to(torch.bfloat16), small.to(torch.float64))
    yield between(-4.1e-5, 3.2e-5, shape, rng)


def unusable(shape, rng):
    """(what is wrong, data): no scale could describe any of these."""
    for what, value in (("NaN", math.nan), ("+inf", math.inf), ("−inf", -math.inf)):
        x = between(-1.0, 1.0, shape, rng)
        x.view(-1)[-1] = value
        yield f"the data held {what}", x
    yield "the data was empty", torch.zeros(0, *shape[1:])
    yield "the data was empty", torch.zeros(*shape[:-1], 0)


def constants():
    """Data that is all the same, or a single value: it follows the same rules as any other."""
    yield from (torch.full((7,), -4.4), torch.full((1, 3, 2), 0.83), torch.full((1, 1), -12.5), torch.tensor(0.37))


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
    lookalikes = {"follows max(x), not the largest |x|": x.max() / top, **in_half(x, x.abs().max(), top)}
    x = x.float()
    scale = expect.symmetric_scale(scale, x.abs().max(), bits, lookalikes)
    expect.codes(q, x, scale, bits=bits)


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


def check_dequantized(value, q, scale, zero_point=0):
    """scale · (q − zero point) in float32; scale and zero point broadcast to q."""
    expect.tensor(value, "the result", dtype=torch.float32)
    check_restored(value, q, scale, zero_point)


def check_restored(value, q, scale, zero_point=0):
    """scale · (q − zero point) in any dtype that is precise enough; scale and zero point broadcast to q."""
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


def largest_per(axis, x):
    """The largest |x| of each index of `axis`, all other dimensions 1."""
    others = [d for d in range(x.dim()) if d != axis % x.dim()]
    return x.float().abs().amax(dim=others, keepdim=True) if others else x.float().abs()  # `dim=[]` reduces all


def check_per_channel(found, x, bits, axis):
    """(q, scale) with one scale for each index of `axis`."""
    q, scale = expect.results(found, "q", "scale")
    expect.codes_first(q, scale)
    largest, top = largest_per(axis, x), 2 ** (bits - 1) - 1
    reshaped = x.float().reshape(x.shape[axis], -1).abs().amax(dim=1).reshape(largest.shape) / top
    lookalikes = {"takes elements of other channels: reshape cuts a tensor up, it moves no axis": reshaped}
    scale = expect.symmetric_scale(scale, largest, bits, lookalikes)
    expect.codes(q, x.float(), scale, bits=bits)


def largest_per_group(weight, group_size):
    """The largest |w| of each group: [out, in / group_size]."""
    return weight.float().abs().unfold(1, group_size, group_size).amax(dim=-1)


def check_groups(found, weight, bits, group_size):
    """(q, scale) with one scale for each group."""
    q, scale = expect.results(found, "q", "scale")
    expect.codes_first(q, scale)
    largest, top = largest_per_group(weight, group_size), 2 ** (bits - 1) - 1
    rows = largest.amax(dim=1, keepdim=True).expand_as(largest)
    strided = weight.float().reshape(len(weight), group_size, -1).abs().amax(dim=1) / top
    lookalikes = {
        "takes every n-th weight for a group; a group's weights are neighbours": strided,
        "is that of the whole row, in each of its groups": rows / top,
        "equals amax / 7 whatever bits is": largest / 7,
    }
    scale = expect.symmetric_scale(scale, largest, bits, lookalikes)
    expect.codes(q, weight.float(), scale.repeat_interleave(group_size, dim=1), bits=bits)


OWN_RANGE = "follows the range of the new data, not the calibrated one"


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
def test_symmetric_every_bits(student, rng):
    """The largest magnitude, whichever its sign, lands on the highest level of any number of bits."""
    for bits, shape in zip(range(2, 9), SHAPES, strict=True):
        lo, hi = (-7.7, 5.3) if bits % 2 else (-0.83, 2.31)
        x = between(lo, hi, shape, rng)
        check_symmetric(student.symmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.1", item="values")
def test_symmetric_default_is_8_bits(student, rng):
    """Without `bits`, 8 of them; a scale for all of a tensor, of any number of dimensions."""
    x = between(-2.94, 1.12, (3, 4, 5), rng)
    check_symmetric(student.symmetric_quantization(x), x)


@pytest.mark.task("1.1", item="extremes")
def test_symmetric_zeros_and_constants(student):
    """Zeros get a usable scale and codes 0; equal values, or a single one, are no special case."""
    for x in (torch.zeros(7), torch.zeros(2, 1, 3), torch.zeros(())):
        q, scale = expect.results(student.symmetric_quantization(x), "q", "scale")
        expect.codes(q, x, expect.usable_scale(scale))
    for x in constants():
        for bits in (8, 5, 2):
            check_symmetric(student.symmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.1", item="inputs")
def test_symmetric_of_views(student, rng):
    """A view is quantized as its contiguous copy is, however it lies in memory."""
    for shape in ((5, 3, 4), (7, 6), (2, 3, 4, 5)):
        for what, x in expect.layouts(between(-2.6, 1.9, shape, rng)):
            found = expect.layout_call(student.symmetric_quantization, x, what=what)
            check_symmetric(found, x.contiguous())


@pytest.mark.task("1.1", item="inputs")
def test_symmetric_precision(student, rng):
    """Half-precision data is quantized in float32 arithmetic, and small data as finely as any other."""
    for x in delicate((32, 32), rng):
        check_symmetric(student.symmetric_quantization(x), x)


@pytest.mark.task("1.1", item="errors")
def test_symmetric_refuses_unusable_data(student, rng):
    """NaN, either infinity, or no data at all is a ValueError."""
    for because, x in unusable((3, 4), rng):
        expect.raises(ValueError, partial(student.symmetric_quantization, x), because=because, named=True)


@pytest.mark.task("1.1", item="state")
def test_symmetric_leaves_its_input(student, rng):
    """The data is not modified."""
    student.symmetric_quantization(between(-2.0, 1.0, (4, 6), rng), bits=4)
    expect.inputs_unchanged(student)


@pytest.mark.task("1.1", item="inputs")
def test_symmetric_on_device(student, rng, device):
    """The work is done, and the results live, where the data lives, without a step for each element."""
    x = between(-2.0, 1.0, (16, 64), rng)
    on = x.to(device)
    q, scale = expect.results(expect.device_call(student.symmetric_quantization, on), "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    check_symmetric((q, scale), x)


# ------------------------------------------------------------------ 1.2 asymmetric_quantization


@pytest.mark.task("1.2", item="values")
def test_asymmetric_one_sided(student, rng):
    """Data on one side of zero, either side, has its range widened to zero."""
    for lo, hi in ((2.2, 9.1), (-8.3, -3.3)):
        x = between(lo, hi, (5, 8), rng)
        check_asymmetric(student.asymmetric_quantization(x), x)


@pytest.mark.task("1.2", item="values")
def test_asymmetric_every_bits(student, rng):
    """The range of the data is spread over all levels of any number of bits; zero falls on a whole one."""
    for bits, shape in zip(range(2, 9), SHAPES, strict=True):
        lo, hi = (-1.9, 6.4) if bits % 2 else (-3.13, 0.44)
        x = between(lo, hi, shape, rng)
        check_asymmetric(student.asymmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.2", item="values")
def test_asymmetric_ends_of_the_range(student, rng):
    """With a range as wide below zero as above, an end lies half a level outside: it is clamped, and wraps around
    nowhere.
    """
    for largest in (0.043, 0.7, 1.9, 3.0, 11.3, 250.0):
        for bits in (8, 4):
            x = between(-largest, largest, (4, 6), rng)
            q, *_ = expect.results(student.asymmetric_quantization(x, bits=bits), "q", "scale", "zero_point")
            q, top = expect.tensor(q, "q", dtype=torch.uint8, shape=x.shape).flatten().long(), 2**bits - 1
            fits = int(q.max()) <= top and int(q[x.argmax()]) >= top - 1 and int(q[x.argmin()]) <= 1
            expect.that(
                fits, "an end of the range wraps around or lies beyond the levels: clamp after the zero point is added"
            )


@pytest.mark.task("1.2", item="extremes")
def test_asymmetric_zeros_and_constants(student):
    """Zeros get a usable scale and come back as exactly zero; equal values, or a single one, are no special case."""
    for x in (torch.zeros(7), torch.zeros(2, 1, 3), torch.zeros(())):
        found = expect.results(student.asymmetric_quantization(x), "q", "scale", "zero_point")
        scale, zero_point = expect.usable_scale(found[1]), expect.integer(found[2], "zero point")
        expect.codes(found[0], x, scale, zero_point, signed=False)
    for x in constants():
        for bits in (8, 5, 2):
            check_asymmetric(student.asymmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.2", item="inputs")
def test_asymmetric_of_views(student, rng):
    """A view is quantized as its contiguous copy is, however it lies in memory."""
    for shape in ((5, 3, 4), (7, 6), (2, 3, 4, 5)):
        for what, x in expect.layouts(between(-2.6, 1.9, shape, rng)):
            found = expect.layout_call(student.asymmetric_quantization, x, what=what)
            check_asymmetric(found, x.contiguous())


@pytest.mark.task("1.2", item="inputs")
def test_asymmetric_precision(student, rng):
    """Half-precision data is quantized in float32 arithmetic, and small data as finely as any other."""
    wide = between(-41000.0, 52000.0, (16, 32), rng).to(torch.float16)  # hi − lo overflows float16
    for x in (*delicate((32, 32), rng), wide):
        check_asymmetric(student.asymmetric_quantization(x), x)


@pytest.mark.task("1.2", item="errors")
def test_asymmetric_refuses_unusable_data(student, rng):
    """NaN, either infinity, or no data at all is a ValueError."""
    for because, x in unusable((3, 4), rng):
        expect.raises(ValueError, partial(student.asymmetric_quantization, x), because=because, named=True)


@pytest.mark.task("1.2", item="state")
def test_asymmetric_leaves_its_input(student, rng):
    """The data is not modified."""
    student.asymmetric_quantization(between(-2.0, 1.0, (4, 6), rng), bits=4)
    expect.inputs_unchanged(student)


@pytest.mark.task("1.2", item="inputs")
def test_asymmetric_on_device(student, rng, device):
    """The work is done, and the results live, where the data lives, without a step for each element."""
    x = between(-2.0, 1.2, (16, 64), rng)
    on = x.to(device)
    found = expect.device_call(student.asymmetric_quantization, on)
    found = expect.results(found, "q", "scale", "zero_point")
    expect.on_device(student, on, q=found[0], scale=found[1], zero_point=found[2])
    check_asymmetric(found, x)


# ------------------------------------------------------------------ 1.3 dequantize


@pytest.mark.task("1.3", item="values")
def test_dequantize_random(student, rng):
    """All codes, signed and unsigned, above and below the zero point."""
    signed = torch.arange(-128, 128, dtype=torch.int8).reshape(4, 8, 8)
    check_dequantized(student.dequantize(signed, torch.tensor(0.037)), signed, torch.tensor(0.037))
    unsigned = torch.arange(256, dtype=torch.uint8)[torch.randperm(256, generator=rng)].reshape(8, 32)
    for zero_point in (255, 83):
        found = student.dequantize(unsigned, torch.tensor(1.7), zero_point)
        check_dequantized(found, unsigned, torch.tensor(1.7), zero_point)


@pytest.mark.task("1.3", item="values")
def test_dequantize_broadcasts(student, rng):
    """A scale and a zero point for each row, each column, each group, broadcast as torch does."""
    q = torch.randint(0, 256, (2, 3, 4), generator=rng, dtype=torch.uint8)
    for shape in ((2, 1, 1), (1, 3, 1), (1, 4), (2, 3, 1)):
        scale = torch.rand(shape, generator=rng) + 0.1
        zero_points = torch.randint(0, 256, shape, generator=rng, dtype=torch.int32)
        for zero_point in (zero_points, 131):
            check_dequantized(student.dequantize(q, scale, zero_point), q, scale, zero_point)


@pytest.mark.task("1.3", item="inputs")
def test_dequantize_zero_point_dtypes(student):
    """A zero point tensor of any integer dtype, also that of the codes, does not overflow."""
    q, scale = torch.tensor([0, 7, 128, 255], dtype=torch.uint8), torch.tensor(0.25)
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
        check_dequantized(student.dequantize(q, scale, torch.tensor(200, dtype=dtype)), q, scale, 200)
    q = torch.tensor([-128, -1, 127], dtype=torch.int8)
    check_dequantized(student.dequantize(q, scale, 100), q, scale, 100)
    check_dequantized(student.dequantize(q, scale, torch.tensor(-100, dtype=torch.int8)), q, scale, -100)


@pytest.mark.task("1.3", item="extremes")
def test_dequantize_zero_is_exact(student, rng):
    """The zero point's own code is restored to exactly zero, whatever the scale; a single code is a tensor, too."""
    q = torch.full((5, 1), 173, dtype=torch.uint8)
    scale = torch.rand((5, 1), generator=rng) + 0.01
    found = student.dequantize(q, scale, 173)
    restored = expect.tensor(found, "the result", dtype=torch.float32, shape=(5, 1))
    expect.that(bool((restored == 0).all()), "the zero point's code is not restored to exactly 0")
    for q, zero_point in ((torch.tensor(200, dtype=torch.uint8), 17), (torch.tensor([[-128]], dtype=torch.int8), 0)):
        check_dequantized(student.dequantize(q, torch.tensor(0.7), zero_point), q, torch.tensor(0.7), zero_point)


@pytest.mark.task("1.3", item="state")
def test_dequantize_leaves_what_it_is_given(student, rng):
    """Codes, scales and zero points are not modified."""
    q = torch.randint(0, 256, (3, 4), generator=rng, dtype=torch.uint8)
    for zero_point in (12, torch.full((3, 1), 12, dtype=torch.int32)):
        student.dequantize(q, torch.rand((3, 1), generator=rng) + 0.1, zero_point)
        expect.inputs_unchanged(student)


@pytest.mark.task("1.3", item="inputs")
def test_dequantize_of_views(student, rng):
    """Views of codes are restored as their contiguous copies are, however they lie in memory."""
    for shape in ((5, 3, 4), (7, 6)):
        scale = torch.rand((shape[0], *[1] * (len(shape) - 1)), generator=rng) + 0.1
        for what, q in expect.layouts(torch.randint(-128, 128, shape, generator=rng, dtype=torch.int8)):
            found = expect.layout_call(student.dequantize, q, scale, -3, what=what)
            check_dequantized(found, q.contiguous(), scale, -3)


@pytest.mark.task("1.3", item="inputs")
def test_dequantize_on_device(student, rng, device):
    """The work is done, and the result lives, where the codes live, without a step for each element."""
    q = torch.randint(0, 256, (4, 256), generator=rng, dtype=torch.uint8)
    scale = torch.rand((4, 1), generator=rng) + 0.1
    on = q.to(device)
    for zero_point in (99, torch.full((4, 1), 99, dtype=torch.int32).to(device)):
        restored = expect.device_call(student.dequantize, on, scale.to(device), zero_point)
        expect.on_device(student, on, restored=restored)
        check_dequantized(restored, q, scale, 99)


# ------------------------------------------------------------------ 1.4 BasicQuantizer


@pytest.mark.task("1.4", item="values")
def test_quantizer_new_data(student, rng):
    """Scale and zero point come from the calibration data alone; new data beyond it saturates."""
    for symmetric in (True, False):
        for bits in (8, 5, 2):
            quantizer = student.BasicQuantizer(bits=bits, symmetric=symmetric)
            quantizer.calibrate(between(-0.82, 1.93, (4, 9), rng))
            scale, zero_point = parameters_of(quantizer, symmetric, -0.82, 1.93, bits)
            x = between(-7.0, 9.0, (3, 4, 5), rng)
            own = 9.0 / (2 ** (bits - 1) - 1) if symmetric else 16.0 / (2**bits - 1)
            other = {OWN_RANGE: (x / own).round() + (0 if symmetric else round(7.0 / own))}
            q = quantizer.quantize(x)
            expect.codes(q, x, scale, zero_point, bits=bits, signed=symmetric, lookalikes=other)


@pytest.mark.task("1.4", item="values")
def test_quantizer_restores(student, rng):
    """Codes are restored with the calibrated scale and zero point."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        quantizer.calibrate(between(-1.41, 0.63, (30,), rng))
        scale, zero_point = parameters_of(quantizer, symmetric, -1.41, 0.63)
        q = torch.arange(-127, 128, dtype=torch.int8) if symmetric else torch.arange(256, dtype=torch.uint8)
        check_restored(quantizer.dequantize(q), q, scale, zero_point)


@pytest.mark.task("1.4", item="values")
def test_quantizer_calibrates_from_scratch(student, rng):
    """A second calibration replaces the first one altogether, whatever the two ranges."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        for lo, hi in ((-6.6, 3.1), (-0.24, 0.53), (-6.2, -2.2), (1.1, 4.7)):
            quantizer.calibrate(between(lo, hi, (20,), rng))
            scale, zero_point = parameters_of(quantizer, symmetric, lo, hi)
            x = between(-8.0, 8.0, (24,), rng)
            expect.codes(quantizer.quantize(x), x, scale, zero_point, signed=symmetric)


@pytest.mark.task("1.4", item="values")
def test_quantizer_owns_its_state(student, rng):
    """Two quantizers don't share what they were calibrated with."""
    wide, narrow = student.BasicQuantizer(), student.BasicQuantizer(bits=4, symmetric=False)
    wide.calibrate(between(-5.0, 3.0, (20,), rng))
    narrow.calibrate(between(-0.2, 0.5, (20,), rng))
    x = between(-4.0, 4.0, (20,), rng)
    shared = {"is quantized with another quantizer's scale": (x * 15 / 0.7).round().clamp(-4, 11) + 4}
    expect.codes(wide.quantize(x), x, torch.tensor(5.0 / 127, dtype=torch.float64), lookalikes=shared)


@pytest.mark.task("1.4", item="errors")
def test_quantizer_needs_calibration_both_ways(student):
    """Neither direction works before calibration: a RuntimeError."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        q = torch.tensor([1, 2], dtype=torch.int8 if symmetric else torch.uint8)
        quantize, restore = partial(quantizer.quantize, q.float()), partial(quantizer.dequantize, q)
        expect.raises(RuntimeError, quantize, because="quantize came before calibrate")
        expect.raises(RuntimeError, restore, because="dequantize came before calibrate")


@pytest.mark.task("1.4", item="extremes")
def test_quantizer_zeros(student):
    """Calibrated on zeros, it stores and restores exactly zero."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        quantizer.calibrate(torch.zeros(2, 3))
        expect.usable_scale(one_scale(quantizer.scale))
        q = quantizer.quantize(torch.zeros(4))
        expect.tensor(q, "q", dtype=torch.int8 if symmetric else torch.uint8, shape=(4,))
        found = quantizer.dequantize(q)
        restored = expect.tensor(found, "the restored tensor", shape=(4,))
        expect.that(bool((restored == 0).all()), "zeros are not restored to exactly 0")


@pytest.mark.task("1.4", item="extremes")
def test_quantizer_of_constant_data(student):
    """Calibration data whose values are all equal, or a single value, is no special case."""
    for symmetric in (True, False):
        for bits in (8, 4):
            for data in constants():
                quantizer = student.BasicQuantizer(bits=bits, symmetric=symmetric)
                quantizer.calibrate(data)
                value = float(data.max())
                scale, zero_point = parameters_of(quantizer, symmetric, value, value, bits)
                x = torch.tensor([[value, -value, 0.0, 0.271 * value]])
                expect.codes(quantizer.quantize(x), x, scale, zero_point, bits=bits, signed=symmetric)


@pytest.mark.task("1.4", item="inputs")
def test_quantizer_of_views(student, rng):
    """Views are calibrated on, quantized and restored as their contiguous copies are."""
    for symmetric in (True, False):
        for what, x in expect.layouts(between(-2.6, 1.9, (5, 3, 4), rng)):
            quantizer = student.BasicQuantizer(symmetric=symmetric)
            expect.layout_call(quantizer.calibrate, x, what=what)
            scale, zero_point = parameters_of(quantizer, symmetric, float(x.min()), float(x.max()))
            q = expect.layout_call(quantizer.quantize, x, what=what)
            q = expect.codes(q, x.contiguous(), scale, zero_point, signed=symmetric)
            for name, codes in expect.layouts(q.to(torch.int8 if symmetric else torch.uint8)):
                restored = expect.layout_call(quantizer.dequantize, codes, what=name)
                check_restored(restored, codes.contiguous(), scale, zero_point)


@pytest.mark.task("1.4", item="inputs")
def test_quantizer_precision(student, rng):
    """Half-precision data is quantized in float32 arithmetic, and small data as finely as any other."""
    for symmetric in (True, False):
        for data in delicate((32, 32), rng):
            quantizer = student.BasicQuantizer(symmetric=symmetric)
            quantizer.calibrate(data)
            scale, zero_point = parameters_of(quantizer, symmetric, float(data.min()), float(data.max()))
            expect.codes(quantizer.quantize(data), data.float(), scale, zero_point, signed=symmetric)


@pytest.mark.task("1.4", item="errors")
def test_quantizer_refuses_unusable_calibration(student, rng):
    """Calibrating with NaN, either infinity, or no data at all is a ValueError."""
    for symmetric in (True, False):
        for because, x in unusable((3, 4), rng):
            quantizer = student.BasicQuantizer(symmetric=symmetric)
            expect.raises(ValueError, partial(quantizer.calibrate, x), because=because, named=True)


@pytest.mark.task("1.4", item="errors")
def test_quantizer_refuses_other_bits_both_ways(student, rng):
    """`bits` outside 2…8, or no whole number, is a ValueError at the latest on first use, symmetric or not."""
    x = between(-1.0, 2.0, (6,), rng)

    def use(bits, symmetric):
        quantizer = student.BasicQuantizer(bits=bits, symmetric=symmetric)
        quantizer.calibrate(x)
        quantizer.quantize(x)

    for symmetric in (True, False):
        for bits in NOT_BITS:
            expect.raises(ValueError, partial(use, bits, symmetric), because=f"bits was {bits}")


@pytest.mark.task("1.4", item="state")
def test_quantizer_leaves_its_inputs(student, rng):
    """Neither calibration, nor quantizing, nor restoring modifies what it is given."""
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        quantizer.calibrate(between(-1.0, 2.0, (4, 6), rng))
        expect.inputs_unchanged(student)
        quantizer.quantize(between(-3.0, 3.0, (4, 6), rng))
        expect.inputs_unchanged(student)
        quantizer.dequantize(torch.tensor([3, 1, 7], dtype=torch.int8 if symmetric else torch.uint8))
        expect.inputs_unchanged(student)


@pytest.mark.task("1.4", item="inputs")
def test_quantizer_on_device(student, rng, device):
    """Scale, zero point, codes and restored values live where the data lives; no step for each element."""
    x = between(-2.0, 1.2, (16, 64), rng)
    on = x.to(device)
    for symmetric in (True, False):
        quantizer = student.BasicQuantizer(symmetric=symmetric)
        expect.device_call(quantizer.calibrate, on)
        expect.on_device(student, on)
        expect.on_device(student, on, scale=quantizer.scale, zero_point=0 if symmetric else quantizer.zero_point)
        scale, zero_point = parameters_of(quantizer, symmetric, -2.0, 1.2)
        q = expect.device_call(quantizer.quantize, on)
        expect.on_device(student, on, q=q)
        expect.codes(q, x, scale, zero_point, signed=symmetric)
        restored = expect.device_call(quantizer.dequantize, q)
        expect.on_device(student, on, restored=restored)
        check_restored(restored, expect.tensor(q, "q"), scale, zero_point)


# ------------------------------------------------------------------ 1.5 per_channel_quantization


@pytest.mark.task("1.5", item="values")
def test_per_channel_any_axis(student, rng):
    """Any one axis of a tensor of three or four dimensions can be the one that is kept."""
    for shape, axis in (((4, 3, 2, 5), 0), ((4, 3, 2, 5), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((5, 5), 1)):
        width = [-1 if d == axis else 1 for d in range(len(shape))]
        x = between(-1.0, 0.8, shape, rng) * 3.0 ** torch.arange(shape[axis]).reshape(width)
        check_per_channel(student.per_channel_quantization(x, axis=axis), x, 8, axis)


@pytest.mark.task("1.5", item="values")
def test_per_channel_every_bits(student, rng):
    """Every number of bits from the fewest to the most has its own levels."""
    x = between(-1.0, 0.8, (4, 9), rng) * torch.tensor([[1.0], [0.02], [7.0], [150.0]])
    for bits in range(2, 9):
        check_per_channel(student.per_channel_quantization(x, bits=bits), x, bits, 0)


@pytest.mark.task("1.5", item="values")
def test_per_channel_negative_axis(student, rng):
    """A negative axis counts from the last one."""
    x = between(-1.0, 0.8, (2, 3, 4), rng) * 3.0 ** torch.arange(4)
    for axis in (-1, -2, -3):
        check_per_channel(student.per_channel_quantization(x, bits=6, axis=axis), x, 6, axis)


@pytest.mark.task("1.5", item="extremes")
def test_per_channel_zero_column(student, rng):
    """An all-zero channel in the middle gets a usable scale; its neighbours are not affected."""
    x = between(-1.0, 0.8, (5, 3), rng) * torch.tensor([1.0, 0.0, 40.0])
    q, scale = expect.results(student.per_channel_quantization(x, axis=1), "q", "scale")
    scale, want = expect.usable_scale(scale, shape=(1, 3)), largest_per(1, x) / 127
    expect.close(scale[:, ::2], want[:, ::2], "the scale of the other channels")
    expect.codes(q, x, scale)


@pytest.mark.task("1.5", item="extremes")
def test_per_channel_of_constant_data(student):
    """Channels whose values are all equal, and channels of a single value, are no special case."""
    columns = torch.tensor([-4.4, 0.83, 12.5]).expand(4, 3).contiguous()
    for x, axis in ((columns, 1), (columns[:1], 1), (torch.full((2, 3, 2), 0.37), 0), (torch.full((1, 1), -9.1), 0)):
        check_per_channel(student.per_channel_quantization(x, axis=axis), x, 8, axis)


@pytest.mark.task("1.5", item="inputs")
def test_per_channel_of_views(student, rng):
    """Views are quantized as their contiguous copies are, whichever axis is kept."""
    for axis in (0, 2, -2):
        for what, x in expect.layouts(between(-2.6, 1.9, (5, 3, 4), rng)):
            found = expect.layout_call(student.per_channel_quantization, x, axis=axis, what=what)
            check_per_channel(found, x.contiguous(), 8, axis)


@pytest.mark.task("1.5", item="inputs")
def test_per_channel_precision(student, rng):
    """Half-precision weights are quantized in float32 arithmetic, and small ones as finely as any other."""
    for x in delicate((4, 256), rng):
        check_per_channel(student.per_channel_quantization(x), x, 8, 0)


@pytest.mark.task("1.5", item="errors")
def test_per_channel_refuses_unusable_data(student, rng):
    """NaN or infinity in a single channel, or no data at all, is a ValueError."""
    for because, x in unusable((3, 4), rng):
        expect.raises(ValueError, partial(student.per_channel_quantization, x), because=because, named=True)


@pytest.mark.task("1.5", item="errors")
def test_per_channel_refuses_other_bits(student, rng):
    """`bits` outside the range, or no whole number, is a ValueError."""
    x = between(-1.0, 1.0, (2, 3), rng)
    for bits in NOT_BITS:
        call = partial(student.per_channel_quantization, x, bits=bits)
        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("1.5", item="state")
def test_per_channel_leaves_its_input(student, rng):
    """The weights are not modified, whichever axis is kept."""
    for axis in (0, 1):
        student.per_channel_quantization(between(-2.0, 1.0, (4, 6), rng), bits=4, axis=axis)
        expect.inputs_unchanged(student)


@pytest.mark.task("1.5", item="inputs")
def test_per_channel_on_device(student, rng, device):
    """The work is done, and the results live, where the weights live; a loop over channels is fine."""
    x = between(-2.0, 1.0, (4, 512), rng) * torch.tensor([[1.0], [0.02], [7.0], [150.0]])
    on = x.to(device)
    q, scale = expect.results(expect.device_call(student.per_channel_quantization, on), "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    check_per_channel((q, scale), x, 8, 0)


# ------------------------------------------------------------------ 1.6 group_quantization


@pytest.mark.task("1.6", item="values")
def test_groups_random(student, rng):
    """Neighbouring weights of a row share a scale, and only they."""
    weight = between(-1.0, 0.8, (3, 32), rng)
    weight = weight * (4.0 ** torch.arange(4)).repeat_interleave(8) * torch.tensor([[1.0], [0.1], [13.0]])
    check_groups(student.group_quantization(weight, group_size=8), weight, 4, 8)


@pytest.mark.task("1.6", item="values")
def test_groups_every_bits_and_size(student, rng):
    """Any number of bits and any group size that divides the row, the whole row among them."""
    weight = between(-1.0, 0.8, (4, 12), rng) * 2.0 ** torch.arange(12)
    for bits, group_size in ((2, 3), (3, 6), (5, 4), (6, 12), (7, 2), (8, 3), (4, 1)):
        found = student.group_quantization(weight, bits=bits, group_size=group_size)
        check_groups(found, weight, bits, group_size)


@pytest.mark.task("1.6", item="errors")
def test_groups_must_divide_the_row(student, rng):
    """A row that is no whole number of groups is a ValueError, even if the whole matrix is one."""
    for shape, group_size in (((4, 6), 8), ((3, 8), 6), ((2, 4), 8)):
        weight = between(-1.0, 1.0, shape, rng)
        call = partial(student.group_quantization, weight, group_size=group_size)
        expect.raises(ValueError, call, because="the input width was no multiple of group_size")


@pytest.mark.task("1.6", item="extremes")
def test_groups_zero_group_in_the_middle(student, rng):
    """An all-zero group gets a usable scale; its neighbours are not affected."""
    weight = between(-1.0, 0.8, (2, 12), rng) * torch.tensor([1.0, 0.0, 40.0]).repeat_interleave(4)
    q, scale = expect.results(student.group_quantization(weight, group_size=4), "q", "scale")
    scale, want = expect.usable_scale(scale, shape=(2, 3)), largest_per_group(weight, 4) / 7
    expect.close(scale[:, ::2], want[:, ::2], "the scale of the other groups")
    expect.codes(q, weight, scale.repeat_interleave(4, dim=1), bits=4)


@pytest.mark.task("1.6", item="extremes")
def test_groups_of_constant_data(student):
    """Groups whose values are all equal, and groups of one weight, are no special case."""
    for weight, size in ((torch.full((2, 6), -4.4), 3), (torch.full((3, 4), 0.83), 4), (torch.full((1, 1), -9.1), 1)):
        check_groups(student.group_quantization(weight, bits=5, group_size=size), weight, 5, size)


@pytest.mark.task("1.6", item="inputs")
def test_groups_of_views(student, rng):
    """Views are quantized as their contiguous copies are, however they lie in memory."""
    for what, weight in expect.layouts(between(-2.6, 1.9, (7, 12), rng)):
        found = expect.layout_call(student.group_quantization, weight, group_size=3, what=what)
        check_groups(found, weight.contiguous(), 4, 3)


@pytest.mark.task("1.6", item="inputs")
def test_groups_precision(student, rng):
    """Half-precision weights are quantized in float32 arithmetic, and small ones as finely as any other."""
    for weight in delicate((4, 256), rng):
        check_groups(student.group_quantization(weight, bits=8, group_size=32), weight, 8, 32)


@pytest.mark.task("1.6", item="errors")
def test_groups_refuse_unusable_data(student, rng):
    """NaN or infinity in a single group, or no data at all, is a ValueError."""
    for because, x in unusable((3, 8), rng):
        expect.raises(ValueError, partial(student.group_quantization, x, group_size=4), because=because, named=True)


@pytest.mark.task("1.6", item="errors")
def test_groups_refuse_other_bits(student, rng):
    """`bits` outside the range, or no whole number, is a ValueError."""
    weight = between(-1.0, 1.0, (2, 4), rng)
    for bits in NOT_BITS:
        call = partial(student.group_quantization, weight, bits=bits, group_size=2)
        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("1.6", item="state")
def test_groups_leave_their_input(student, rng):
    """The weights are not modified."""
    student.group_quantization(between(-2.0, 1.0, (4, 8), rng), group_size=4)
    expect.inputs_unchanged(student)


@pytest.mark.task("1.6", item="inputs")
def test_groups_on_device(student, rng, device):
    """The work is done, and the results live, where the weights live; a loop over groups is fine."""
    weight = between(-2.0, 1.0, (2, 1024), rng)
    on = weight.to(device)
    found = expect.device_call(student.group_quantization, on, group_size=256)
    q, scale = expect.results(found, "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    check_groups((q, scale), weight, 4, 256)


# ------------------------------------------------------------------ 1.7 pack_int4, unpack_int4


def all_pairs():
    """Every pair of 4-bit values [256, 2], and the byte [256] that each packs into, in two's complement."""
    values = torch.arange(256)
    nibbles = torch.stack([values % 16, values // 16], dim=1)  # the low nibble is the first value
    return torch.where(nibbles > 7, nibbles - 16, nibbles).to(torch.int8), values.to(torch.uint8)


@pytest.mark.task("1.7", item="values")
def test_pack_every_pair(student, rng):
    """Every pair of values has its byte, in a row of any length and with any leading dimensions."""
    pairs, values = all_pairs()
    order = torch.randperm(256, generator=rng)
    for shape in ((256,), (4, 64), (2, 8, 16)):
        q = pairs[order].reshape(*shape[:-1], shape[-1] * 2)
        packed = expect.tensor(student.pack_int4(q), "packed", dtype=torch.uint8, shape=shape)
        want = values[order].reshape(shape).long()
        halves, low, high = q.long() % 16, q[..., 0::2].long(), q[..., 1::2].long()
        lookalikes = {
            "lets the first value's sign spill into the high nibble": (low | (high * 16)) % 256,
            "stores q + 8, not two's complement": low + 8 + (high + 8) * 16,
            "has the first value in the high nibble": want % 16 * 16 + want // 16,
            "pairs the first half of a row with the second, not neighbours": (
                halves[..., : shape[-1]] + halves[..., shape[-1] :] * 16
            ),
        }
        expect.close(packed, want, "packed", lookalikes=lookalikes)


@pytest.mark.task("1.7", item="values")
def test_unpack_every_byte(student, rng):
    """Every byte has its two values, in a row of any length and with any leading dimensions."""
    pairs, values = all_pairs()
    order = torch.randperm(256, generator=rng)
    for shape in ((256,), (4, 64), (2, 8, 16)):
        packed, want = values[order].reshape(shape), pairs[order].reshape(*shape[:-1], -1)
        q = expect.tensor(student.unpack_int4(packed), "unpacked", dtype=torch.int8, shape=want.shape)
        lookalikes = {
            "is unsigned: a nibble of the upper half stands for a negative value": want % 16,
            "takes the high nibble first": pairs[order].flip(1).reshape(want.shape),
            "takes the nibble 8 for a positive value": torch.where(want == -8, 8, want),
            "has all low nibbles first, then all high ones": (torch.cat([want[..., 0::2], want[..., 1::2]], dim=-1)),
        }
        expect.close(q, want, "unpacked", lookalikes=lookalikes)


@pytest.mark.task("1.7", item="errors")
def test_pack_refuses_odd_rows(student):
    """Bytes don't cross rows: an odd last dimension is a ValueError, even if the number of values is even."""
    for shape in ((2, 3), (2, 2, 5), (1,)):
        q = torch.ones(shape, dtype=torch.int8)
        expect.raises(ValueError, partial(student.pack_int4, q), because="the last dimension was odd")


@pytest.mark.task("1.7", item="errors")
def test_pack_refuses_wide_values(student):
    """A value that four bits cannot hold, on either side and in any integer dtype, is a ValueError."""
    for value in (8, -9, 15, 127, -128):
        q = torch.tensor([[1, 2, 3, 4], [5, 6, value, 7]], dtype=torch.int8)
        expect.raises(ValueError, partial(student.pack_int4, q), because="a value lay outside −8…7")
    for dtype, value in ((torch.int16, 256 + 3), (torch.int32, 3 - 256), (torch.int64, 2**32 + 3)):
        q = torch.tensor([[1, 2, 3, 4], [5, 6, value, 7]], dtype=dtype)  # whose lowest byte alone would fit
        because = (
            "a value of a wider dtype lay outside −8…7 (look at the values before they become int8, which wraps them)"
        )
        expect.raises(ValueError, partial(student.pack_int4, q), because=because)


@pytest.mark.task("1.7", item="state")
def test_pack_and_unpack_leave_their_input(student):
    """Neither direction modifies what it is given."""
    pairs, values = all_pairs()
    student.pack_int4(pairs)
    expect.inputs_unchanged(student)
    student.unpack_int4(values)
    expect.inputs_unchanged(student)


@pytest.mark.task("1.7", item="inputs")
def test_pack_and_unpack_of_views(student, rng):
    """Views are packed and unpacked as their contiguous copies are, however they lie in memory."""
    for shape in ((5, 3, 8), (7, 6)):
        for what, q in expect.layouts(torch.randint(-8, 8, shape, generator=rng, dtype=torch.int8)):
            packed = expect.layout_call(student.pack_int4, q, what=what)
            want = q[..., 0::2].long() % 16 + q[..., 1::2].long() % 16 * 16
            expect.close(expect.tensor(packed, "packed", dtype=torch.uint8, shape=want.shape), want, "packed")
            for name, view in expect.layouts(want.to(torch.uint8)):
                found = expect.layout_call(student.unpack_int4, view, what=name)
                pairs = torch.stack([view.long() % 16, view.long() // 16], dim=-1).flatten(-2)
                values = torch.where(pairs > 7, pairs - 16, pairs)
                unpacked = expect.tensor(found, "unpacked", dtype=torch.int8, shape=values.shape)
                expect.close(unpacked, values, "unpacked")


@pytest.mark.task("1.7", item="inputs")
def test_pack_and_unpack_on_device(student, rng, device):
    """The work is done, and the results live, where the input lives, without a step for each element."""
    q = torch.randint(-8, 8, (4, 256), generator=rng, dtype=torch.int8)
    want = q[:, 0::2].long() % 16 + q[:, 1::2].long() % 16 * 16
    on = q.to(device)
    packed = expect.device_call(student.pack_int4, on)
    expect.on_device(student, on, packed=packed)
    expect.close(expect.tensor(packed, "packed", dtype=torch.uint8, shape=want.shape), want, "packed")
    on = want.to(torch.uint8).to(device)
    unpacked = expect.device_call(student.unpack_int4, on)
    expect.on_device(student, on, unpacked=unpacked)
    expect.close(expect.tensor(unpacked, "unpacked", dtype=torch.int8, shape=q.shape), q, "unpacked")


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


@pytest.mark.task("1.8", item="values")
def test_sqnr_random(student, rng):
    """The ratio of the powers of signal and error over the whole tensor, in decibels."""
    x = between(1.0, 3.0, (4, 12), rng) * torch.tensor([[1.0], [5.0], [0.2], [2.0]])
    small = between(-0.5, 0.3, (4, 12), rng)
    for noise in (small, 0.3 * x + small):
        check_sqnr(student.compute_sqnr(x, x - noise), x, x - noise)


@pytest.mark.task("1.8", item="values")
def test_cosine_random(student, rng):
    """The angle between the flattened tensors, whatever their lengths, means and signs."""
    a, b = between(0.5, 3.0, (2, 3, 8), rng), between(0.5, 3.0, (2, 3, 8), rng)
    check_cosine(student.compute_cosine_sim(a, -0.01 * b), a, -0.01 * b)
    a, b = a * torch.tensor([[1.0], [5.0], [0.2]]), b * torch.tensor([[0.2], [5.0], [-1.0]])
    check_cosine(student.compute_cosine_sim(a, 7.0 * b), a, 7.0 * b)


@pytest.mark.task("1.8", item="values")
def test_kl_random(student, rng):
    """The mean over all rows, of two- and three-dimensional logits, of the divergence from the original."""
    for shape in ((5, 7), (2, 3, 9)):
        logits = torch.randn(shape, generator=rng)
        others = 3 * logits + 0.3 * torch.randn(shape, generator=rng)
        check_kl(student.compute_kl_div(logits, others), logits, others)


@pytest.mark.task("1.8", item="values")
def test_kl_of_large_logits(student):
    """Large logits neither overflow nor underflow: no NaN, no infinity, no floor on probabilities."""
    logits = torch.tensor([[1000.0, 0.0, -1000.0], [5000.0, 4999.0, 0.0], [1000.0, 920.0, 0.0]])
    others = torch.tensor([[1000.0, 5.0, -1000.0], [4999.0, 5000.0, 0.0], [920.0, 1000.0, 0.0]])
    check_kl(student.compute_kl_div(logits, others), logits, others)


@pytest.mark.task("1.8", item="values")
def test_kl_of_one_row(student, rng):
    """One-dimensional logits are one row."""
    logits, others = torch.randn(6, generator=rng), torch.randn(6, generator=rng)
    check_kl(student.compute_kl_div(logits, others), logits, others)


@pytest.mark.task("1.8", item="extremes")
def test_sqnr_of_equal_zeros(student):
    """Equal tensors have an infinite ratio, all-zero ones too."""
    found = expect.number(student.compute_sqnr(torch.zeros(2, 3), torch.zeros(2, 3)), "SQNR")
    odd = ": 0 / 0 is NaN" if math.isnan(found) else ""
    expect.that(found == math.inf, f"the SQNR of equal tensors is not infinite{odd}")


@pytest.mark.task("1.8", item="extremes")
def test_metrics_of_equal_and_single_values(student, rng):
    """Equal logits are 0 nats apart, also in one row or one class; a single value has a ratio and an angle."""
    x = between(-2.0, 3.0, (3, 5), rng)
    for logits in (x, x[0], x[:, :1]):
        found = expect.number(student.compute_kl_div(logits, logits.clone()), "KL of equal logits")
        expect.close(found, 0.0, "KL of equal logits", atol=1e-6)
    for logits in (x, torch.full((2, 2), 0.83)):
        found = expect.number(student.compute_sqnr(logits, logits.clone()), "SQNR")
        expect.that(found == math.inf, "the SQNR of equal tensors is not infinite")
    a, b = torch.tensor(2.5), torch.tensor(-0.7)
    check_cosine(student.compute_cosine_sim(a.reshape(1, 1), b.reshape(1, 1)), a.reshape(1, 1), b.reshape(1, 1))
    check_sqnr(student.compute_sqnr(a.reshape(1, 1), b.reshape(1, 1)), a.reshape(1, 1), b.reshape(1, 1))


@pytest.mark.task("1.8", item="inputs")
def test_metrics_of_views(student, rng):
    """Views are measured as their contiguous copies are, however they lie in memory."""
    x = torch.randn((5, 3, 4), generator=rng)
    others = x + 0.3 * torch.randn((5, 3, 4), generator=rng)
    for (what, a), (_, b) in zip(expect.layouts(x), expect.layouts(others), strict=True):
        same = a.contiguous(), b.contiguous()
        check_sqnr(expect.layout_call(student.compute_sqnr, a, b, what=what), *same)
        check_cosine(expect.layout_call(student.compute_cosine_sim, a, b, what=what), *same)
        check_kl(expect.layout_call(student.compute_kl_div, a, b, what=what), *same)


@pytest.mark.task("1.8", item="inputs")
def test_metrics_in_half_precision(student, rng):
    """float16 and bfloat16 inputs are measured in float32: squares overflow float16 early."""
    for dtype in (torch.float16, torch.bfloat16):
        x = between(-300.0, 500.0, (4, 32), rng).to(dtype)
        restored = (x.float() + between(-4.0, 3.0, (4, 32), rng)).to(dtype)
        check_sqnr(student.compute_sqnr(x, restored), x.float(), restored.float())
        check_cosine(student.compute_cosine_sim(x, restored), x, restored)
        logits = (2 * torch.randn((4, 32), generator=rng)).to(dtype)
        others = (logits.float() + 0.2 * torch.randn((4, 32), generator=rng)).to(dtype)
        check_kl(student.compute_kl_div(logits, others), logits, others)


@pytest.mark.task("1.8", item="state")
def test_metrics_leave_their_inputs(student, rng):
    """No metric modifies what it measures."""
    a, b = between(-1.0, 3.0, (4, 6), rng), between(-2.0, 1.0, (4, 6), rng)
    for metric in (student.compute_sqnr, student.compute_cosine_sim, student.compute_kl_div):
        metric(a, b)
        expect.inputs_unchanged(student)


@pytest.mark.task("1.8", item="inputs")
def test_metrics_on_device(student, rng, device):
    """Each metric is computed where its inputs live, without a step for each element; a number lives anywhere."""
    x = between(-1.0, 3.0, (4, 256), rng)
    others = x + between(-0.5, 0.3, (4, 256), rng)
    on, on_others = x.to(device), others.to(device)
    sqnr = expect.device_call(student.compute_sqnr, on, on_others)
    expect.on_device(student, on)
    check_sqnr(sqnr, x, others)
    cosine = expect.device_call(student.compute_cosine_sim, on, on_others)
    expect.on_device(student, on)
    check_cosine(cosine, x, others)
    divergence = expect.device_call(student.compute_kl_div, on, on_others)
    expect.on_device(student, on)
    check_kl(divergence, x, others)
