"""Public tests of exercise 01: small examples to follow by hand, and a few random ones.

`student.f(x)` calls the student's f; `rng` is seeded by the assignment; `expect` says what a wrong answer
looks like. Core tests are about right values on ordinary data; edge tests pay when all core tests pass.
"""

import math
from functools import partial

import pytest
import torch

from autograder.testing import expect


def between(lo, hi, shape, rng):
    """Random float32 data from `lo` to `hi`, both of which occur."""
    x = torch.rand(shape, generator=rng) * (hi - lo) + lo
    flat = x.view(-1)
    flat[1], flat[-2] = lo, hi
    return x


def check_symmetric(found, x, bits=8):
    """(q, scale) for the whole of x."""
    q, scale = expect.results(found, "q", "scale")
    farthest, top = max(x.max(), -x.min()), 2 ** (bits - 1) - 1
    lookalikes = {
        "follows max(x), not the largest |x|": x.max() / top,
        "follows min(x), not the largest |x|": -x.min() / top,
    }
    scale = expect.symmetric_scale(scale, farthest, bits, lookalikes)
    expect.codes(q, x, scale, bits=bits)


def check_asymmetric(found, x, bits=8):
    """(q, scale, zero_point) for the whole of x."""
    q, scale, zero_point = expect.results(found, "q", "scale", "zero_point")
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


def one_scale(scale):
    """A quantizer's scale: a float32 tensor with one element."""
    scale = expect.tensor(scale, "scale", dtype=torch.float32)
    return scale.reshape(()) if scale.numel() == 1 else scale


# ------------------------------------------------------------------ 1.1 symmetric_quantization


@pytest.mark.task("1.1", item="values")
def test_symmetric_by_hand(student):
    """±1.27 on the levels −127…127 makes steps of 0.01: 0.507 is 50.7 steps, stored as 51."""
    x = torch.tensor([0.0, 0.507, -0.334, 1.27, -1.188])
    check_symmetric(student.symmetric_quantization(x), x)  # q = [0, 51, -33, 127, -119]


@pytest.mark.task("1.1", item="values")
def test_symmetric_largest_magnitude_may_be_negative(student, rng):
    """The value farthest from zero sets the scale, here −3; `bits` sets the levels: ±127, ±7, ±1."""
    x = between(-3.0, 1.7, (4, 6), rng)
    for bits in (8, 4, 2):
        check_symmetric(student.symmetric_quantization(x, bits=bits), x, bits)


@pytest.mark.task("1.1", item="extremes")
def test_symmetric_zeros(student):
    """All-zero data gets a usable scale (finite, positive) and codes 0."""
    q, scale = expect.results(student.symmetric_quantization(torch.zeros(2, 3)), "q", "scale")
    expect.codes(q, torch.zeros(2, 3), expect.usable_scale(scale))


@pytest.mark.task("1.1", item="errors")
def test_symmetric_refuses_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError."""
    x = torch.tensor([1.0, -2.0])
    for bits in (0, 1, 9, 16, 4.5):
        call = partial(student.symmetric_quantization, x, bits=bits)
        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("1.1", item="errors")
def test_symmetric_refuses_nan(student):
    """One NaN would make the scale NaN, and with it every value, silently; a ValueError says so."""
    x = torch.tensor([1.0, math.nan, -2.0])
    call = partial(student.symmetric_quantization, x)
    expect.raises(ValueError, call, because="the data held NaN", named=True)


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


@pytest.mark.task("1.2", item="extremes")
def test_asymmetric_zeros(student):
    """All-zero data gets a usable scale, and its codes equal the zero point: exactly 0 when restored."""
    found = expect.results(student.asymmetric_quantization(torch.zeros(2, 3)), "q", "scale", "zero_point")
    scale, zero_point = expect.usable_scale(found[1]), expect.integer(found[2], "zero point")
    expect.codes(found[0], torch.zeros(2, 3), scale, zero_point, signed=False)


@pytest.mark.task("1.2", item="errors")
def test_asymmetric_refuses_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError."""
    x = torch.tensor([1.0, -2.0])
    for bits in (0, 1, 9, 16, 4.5):
        call = partial(student.asymmetric_quantization, x, bits=bits)
        expect.raises(ValueError, call, because=f"bits was {bits}")


@pytest.mark.task("1.2", item="errors")
def test_asymmetric_refuses_nan(student):
    """NaN has no place in a range: a ValueError."""
    x = torch.tensor([1.0, math.nan, -2.0])
    call = partial(student.asymmetric_quantization, x)
    expect.raises(ValueError, call, because="the data held NaN", named=True)


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


@pytest.mark.task("1.4", item="errors")
def test_quantizer_needs_calibration(student):
    """Before `calibrate` there is no scale: `quantize` is a RuntimeError."""
    quantizer = student.BasicQuantizer()
    x = torch.tensor([1.0, -2.0])
    expect.raises(RuntimeError, partial(quantizer.quantize, x), because="quantize came before calibrate")


@pytest.mark.task("1.4", item="values")
def test_quantizer_calibrates_anew(student):
    """A second `calibrate` replaces the first, also when its data is smaller."""
    quantizer = student.BasicQuantizer()
    quantizer.calibrate(torch.tensor([12.7, -3.0]))
    quantizer.calibrate(torch.tensor([1.27, -0.2]))
    first = {"is still that of the first calibrate": torch.tensor(0.1)}
    expect.symmetric_scale(one_scale(quantizer.scale), torch.tensor(1.27), 8, first)


@pytest.mark.task("1.4", item="errors")
def test_quantizer_refuses_other_bits(student):
    """`bits` outside 2…8 is a ValueError, at the latest on first use."""

    def use(bits):
        quantizer = student.BasicQuantizer(bits=bits)
        quantizer.calibrate(torch.tensor([1.0, -2.0]))
        quantizer.quantize(torch.tensor([1.0, -2.0]))

    for bits in (1, 9, 4.5):
        expect.raises(ValueError, partial(use, bits), because=f"bits was {bits}")


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
    q, scale = expect.results(student.per_channel_quantization(weight, bits=4, axis=1), "q", "scale")
    largest = torch.stack([abs(column).max() for column in weight.unbind(dim=1)]).reshape(1, 4)
    expect.codes(q, weight, expect.symmetric_scale(scale, largest, bits=4), bits=4)


@pytest.mark.task("1.5", item="extremes")
def test_per_channel_zero_channel(student):
    """A channel that is all zero gets a usable scale and codes 0; the others keep theirs."""
    weight = torch.tensor([[0.0, 0.0, 0.0], [1.27, -0.507, 0.334]])
    q, scale = expect.results(student.per_channel_quantization(weight), "q", "scale")
    scale = expect.usable_scale(scale, shape=(2, 1))
    expect.close(scale[1], torch.tensor([0.01]), "scale of the other channel")
    expect.codes(q, weight, scale)


@pytest.mark.task("1.5", item="errors")
def test_per_channel_refuses_nan(student):
    """NaN in any channel is a ValueError."""
    weight = torch.tensor([[1.0, -2.0], [0.5, math.nan]])
    call = partial(student.per_channel_quantization, weight)
    expect.raises(ValueError, call, because="the data held NaN", named=True)


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
    q, scale = expect.results(student.group_quantization(weight), "q", "scale")
    halves = weight[:, :128], weight[:, 128:]
    largest = torch.stack([abs(half).max(dim=1).values for half in halves], dim=1)
    scale = expect.symmetric_scale(scale, largest, bits=4)
    spread = torch.cat([scale[:, :1].expand(3, 128), scale[:, 1:].expand(3, 128)], dim=1)
    expect.codes(q, weight, spread, bits=4)


@pytest.mark.task("1.6", item="errors")
def test_groups_must_fill_the_row(student):
    """Six inputs are not a whole number of groups of four: a ValueError."""
    weight = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    call = partial(student.group_quantization, weight, group_size=4)
    expect.raises(ValueError, call, because="the input width was no multiple of group_size")


@pytest.mark.task("1.6", item="extremes")
def test_groups_zero_group(student):
    """A group that is all zero gets a usable scale and codes 0."""
    weight = torch.tensor([[0.0, 0.0, 0.7, -0.33]])
    q, scale = expect.results(student.group_quantization(weight, group_size=2), "q", "scale")
    scale = expect.usable_scale(scale, shape=(1, 2))
    expect.close(scale[:, 1], torch.tensor([0.1]), "scale of the other group")
    expect.codes(q, weight, torch.stack([scale, scale], dim=2).flatten(1), bits=4)


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


@pytest.mark.task("1.7", item="errors")
def test_pack_refuses_what_does_not_fit(student):
    """An odd number of values, or a value beyond −8…7, is a ValueError."""
    odd, large = torch.tensor([1, 2, 3], dtype=torch.int8), torch.tensor([1, 8], dtype=torch.int8)
    expect.raises(ValueError, partial(student.pack_int4, odd), because="the number of values was odd")
    expect.raises(ValueError, partial(student.pack_int4, large), because="a value lay outside −8…7")


# ------------------------------------------------------------------ 1.8 metrics


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


@pytest.mark.task("1.8", item="extremes")
def test_sqnr_of_equal_tensors(student):
    """No error at all: the SQNR is infinite."""
    x = torch.tensor([3.0, -4.0])
    found = expect.number(student.compute_sqnr(x, x.clone()), "SQNR")
    expect.that(found == math.inf, "the SQNR of equal tensors is not infinite", f"{found:.6g}")


@pytest.mark.task("1.8", item="extremes")
def test_kl_of_equal_logits(student):
    """Nothing lost: KL is 0."""
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    found = expect.number(student.compute_kl_div(logits, logits.clone()), "KL of equal logits")
    expect.close(found, 0.0, "KL of equal logits", atol=1e-6)
