"""Public tests of exercise 04: small examples to follow by hand, and a few random ones.

`student.f(x)` calls the student's f; `rng` is seeded by the assignment; `expect` says what a wrong answer
looks like. Core tests are about right values on ordinary data; edge tests pay when all core tests pass.
"""

import contextlib
import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn

from autograder.lab import models
from autograder.testing import expect


def one_scale(scale):
    """A calibrator's scale: a float32 tensor with one element."""
    scale = expect.tensor(scale, "scale", dtype=torch.float32)
    expect.that(scale.numel() == 1, "scale has more than one element; a calibrator finds one scale")
    return scale.reshape(())


def observed(calibrator, batches):
    """(scale, zero point) after the calibrator has seen these batches."""
    for batch in batches:
        calibrator.observe(batch)
    scale, zero_point = expect.results(calibrator.quantization_parameters(), "scale", "zero_point")
    return one_scale(scale), expect.integer(zero_point, "zero point")


def used(make, bits):
    """A calibrator for so many bits, used once."""
    observed(make(bits=bits), [torch.tensor([1.0, -2.0])])


def between(value, least, most, name, lookalikes=()):
    """`value` lies in [least, most]; `lookalikes` are (words, least, most) of what wrong answers give."""
    if least <= value <= most:
        return
    values = f"{value:.6g}, expected {least:.6g} to {most:.6g}"
    for words, low, high in lookalikes:
        expect.that(not low <= value <= high, f"{name} {words}", values)
    expect.that(False, f"{name} is too {'large' if value > most else 'small'}", values)


# ------------------------------------------------------------------ 4.1 PercentileCalibrator

WHOLE_RANGE = "reaches to the largest value, as min-max does: the percentile is not used"


def even(lo, hi, outliers, rng, count=100_000):
    """`count` values spread evenly from lo to hi, and the outliers, in random order."""
    x = torch.cat([torch.linspace(lo, hi, count), torch.tensor(outliers)])
    return x[torch.randperm(len(x), generator=rng)]


@pytest.mark.task("4.1", item="values")
def test_percentile_by_hand(student, rng):
    """100,000 values spread over ±1 and 40 of ±50: 99.9 % of all |x| lie below 1, so the scale is about 1/127."""
    x = even(-1.0, 1.0, [50.0] * 20 + [-50.0] * 20, rng)
    scale, zero_point = observed(student.PercentileCalibrator(), [x])
    known = [(WHOLE_RANGE, 45, 51), ("is the scale itself: divide it by the largest level", 120, 130)]
    between(float(scale) * 127, 0.989, 1.011, "the threshold, scale · 127,", known)
    expect.that(zero_point == 0, "a symmetric zero point is not 0")


@pytest.mark.task("4.1", item="values")
def test_percentile_in_sorted_batches(student, rng):
    """The same values in ten batches, sorted from the smallest |x| up, and from the largest down: the same scale."""
    x = even(-1.0, 1.0, [50.0] * 20 + [-50.0] * 20, rng)
    for descending in (False, True):
        order = x.abs().argsort(descending=descending)
        scale, _ = observed(student.PercentileCalibrator(), x[order].split(10_004))
        known = [
            (WHOLE_RANGE, 45, 51),
            ("is that of the first batch alone, or of the smallest", 0.0, 0.12),
            ("looks like a mean of the batches' own percentiles", 0.4, 0.7),
            ("looks like a mean of the batches' own percentiles, or a range fixed too early", 1.2, 45),
        ]
        between(float(scale) * 127, 0.989, 1.011, "the threshold, scale · 127, of sorted batches", known)


@pytest.mark.task("4.1", item="values")
def test_percentile_asymmetric_by_hand(student, rng):
    """99,960 values spread from −1 to 3, 20 of −60 and 20 of 90: half of 0.1 % is cut off on either side."""
    x = even(-1.0, 3.0, [-60.0] * 20 + [90.0] * 20, rng, count=99_960)
    calibrator = student.PercentileCalibrator(symmetric=False)
    scale, zero_point = observed(calibrator, [x])
    known = [
        (WHOLE_RANGE, 140, 152),
        ("is cut on one side only", 60, 95),
        ("is symmetric around 0", 5.9, 6.1),
    ]
    between(float(scale) * 255, 3.95, 4.05, "the width of the range, scale · 255,", known)
    between(zero_point, 61, 67, "the zero point, about 1/4 of 255,")


@pytest.mark.task("4.1", item="values")
def test_percentile_asymmetric_in_sorted_batches(student, rng):
    """Sorted values from −1 to 3, 90 %: half of the rest, 5 %, is cut off on either side: −0.8 to 2.8 are left."""
    x = even(-1.0, 3.0, [], rng).sort().values
    for batches in (x.split(15_000), x.flip(0).split(40_000)):
        calibrator = student.PercentileCalibrator(symmetric=False, percentile=90)
        scale, zero_point = observed(calibrator, batches)
        known = [
            ("is that of the whole rest cut off on either side; cut half of it off on either", 3.15, 3.25),
            ("is that of a range without a cut", 3.9, 4.1),
        ]
        between(float(scale) * 255, 3.55, 3.65, "the width of the range, scale · 255,", known)
        between(zero_point, 54, 59, "the zero point, about 2/9 of 255,")


@pytest.mark.task("4.1", item="values")
def test_percentile_of_one_sided_data(student, rng):
    """Values spread from 2 to 6: the range begins at 0, not at 2; of −6 to −2 it ends at 0."""
    for lo, hi, zero in ((2.0, 6.0, 0), (-6.0, -2.0, 255)):
        calibrator = student.PercentileCalibrator(symmetric=False, percentile=95)
        scale, zero_point = observed(calibrator, even(lo, hi, [], rng).split(60_000))
        known = [("is that of a range without 0", 3.7, 4.1)]
        between(float(scale) * 255, 5.82, 5.98, "the width of the range, scale · 255,", known)
        expect.that(
            zero_point == zero, "the zero point is not at the end of the range", f"{zero_point}, expected {zero}"
        )


@pytest.mark.task("4.1", item="values")
def test_percentile_of_magnitudes(student, rng):
    """100,000 values spread from −1 to 0.3 and 40 of ±50: 99.9 % of all |x| lie below 1, of all x below 0.3."""
    x = even(-1.0, 0.3, [50.0] * 20 + [-50.0] * 20, rng)
    scale, _ = observed(student.PercentileCalibrator(), x.split(33_000))
    known = [(WHOLE_RANGE, 45, 51), ("is the percentile of x, not of |x|", 0.29, 0.31)]
    between(float(scale) * 127, 0.989, 1.011, "the threshold, scale · 127,", known)


@pytest.mark.task("4.1", item="values")
def test_percentile_needs_little_memory(student):
    """Batch after batch of a million values: what the calibrator keeps does not grow with them.

    Linux alone tells how much memory counts; elsewhere this is not looked at.
    """
    x = torch.linspace(-1.0, 1.0, 1 << 20)
    calibrator = student.PercentileCalibrator()
    for number in range(14):  # 59 MB
        with student.measuring() if number == 3 else contextlib.nullcontext():  # what is made once is made
            calibrator.observe(x)
        if number == 3:
            start = student.last_call.start_mb
    with student.measuring():
        calibrator.quantization_parameters()
    if start is None or student.last_call.start_mb is None:
        print("memory is not looked at: only Linux tells how much of it is anonymous")
        return
    kept, growth = student.last_call.start_mb - start, student.last_call.peak_growth_mb or 0.0
    words = "the memory grows with the data: keep a summary, not the values"
    expect.that(kept <= 20 and growth <= 24, words, f"{kept:.0f} MB more after ten batches, {growth:.0f} MB at the end")


@pytest.mark.task("4.1", item="extremes")
def test_percentile_of_equal_values(student):
    """Where every value is 5, so is every percentile: the range ends there, and asymmetric it begins at 0."""
    for symmetric, levels in ((True, 127), (False, 255)):
        calibrator = student.PercentileCalibrator(symmetric=symmetric)
        scale, zero_point = observed(calibrator, [torch.full((60_000,), 5.0), torch.full((400, 100), 5.0)])
        between(float(scale) * levels, 4.95, 5.05, f"the width of the range, scale · {levels},")
        expect.that(zero_point == 0, "the zero point is not 0, where the range begins", f"{zero_point}")


@pytest.mark.task("4.1", item="inputs")
def test_percentile_of_views(student, rng):
    """Transposed, sliced and expanded tensors count as others do."""
    for what, view in expect.layouts(torch.randn(40, 30, 100, generator=rng)):
        calibrator, other = student.PercentileCalibrator(), student.PercentileCalibrator()
        expect.layout_call(calibrator.observe, view, what=what)
        other.observe(view.contiguous())
        (scale, _), (same, _) = observed(calibrator, ()), observed(other, ())
        expect.close(scale, same, f"the scale of {what}", rtol=1e-4)


@pytest.mark.task("4.1", item="inputs")
def test_percentile_in_half_precision(student, rng):
    """float16 data is counted as finely as float32 data: 99.9 % of these |x| lie below 600."""
    x = even(-600.0, 600.0, [50_000.0] * 20 + [-50_000.0] * 20, rng).half()
    scale, _ = observed(student.PercentileCalibrator(), x.split(50_000))
    between(float(scale) * 127, 593, 607, "the threshold, scale · 127,")


@pytest.mark.task("4.1", item="inputs")
def test_percentile_where_the_data_lives(student, rng, device):
    """The counting is done, and the scale lives, where the data lives, without a step for each element."""
    on = even(-1.0, 1.0, [50.0] * 20 + [-50.0] * 20, rng).to(device)
    calibrator = student.PercentileCalibrator()
    expect.device_call(calibrator.observe, on)
    expect.on_device(student, on)
    found = expect.device_call(calibrator.quantization_parameters)
    scale, _ = expect.results(found, "scale", "zero_point")
    expect.on_device(student, on, scale=scale)
    between(float(one_scale(scale)) * 127, 0.989, 1.011, "the threshold, scale · 127,")


@pytest.mark.task("4.1", item="state")
def test_percentile_leaves_its_input(student, rng):
    """What is observed is not modified."""
    for symmetric in (True, False):
        student.PercentileCalibrator(symmetric=symmetric).observe(torch.randn(6, 7, generator=rng))
        expect.inputs_unchanged(student)


@pytest.mark.task("4.1", item="errors")
def test_percentile_refuses_other_bits(student):
    """`bits` is an int from 2 to 8; anything else is a ValueError, at the latest on first use."""
    for bits in (1, 9, 2.5):
        expect.raises(ValueError, partial(used, student.PercentileCalibrator, bits), because=f"bits was {bits}")


@pytest.mark.task("4.1", item="errors")
def test_percentile_needs_data(student):
    """Before anything was observed there is no percentile: a RuntimeError."""
    calibrator = student.PercentileCalibrator()
    expect.raises(RuntimeError, calibrator.quantization_parameters, because="nothing was observed")


@pytest.mark.task("4.1", item="errors")
def test_percentile_refuses_nan(student):
    """NaN has no place in a ranking: a ValueError that names the problem."""
    calibrator = student.PercentileCalibrator()
    call = partial(calibrator.observe, torch.tensor([1.0, math.nan, -2.0]))
    expect.raises(ValueError, call, because="the data held NaN", named=True)


@pytest.mark.task("4.1", item="extremes")
def test_percentile_of_zeros(student):
    """All-zero data gets a usable scale: finite and positive."""
    scale, zero_point = observed(student.PercentileCalibrator(), [torch.zeros(3, 4), torch.zeros(5)])
    expect.usable_scale(scale)
    expect.that(zero_point == 0, "a symmetric zero point is not 0")


# ------------------------------------------------------------------ 4.2 KL divergence

HISTOGRAM = (100, 4, 2, 2, 0, 1, 0, 1)
KL_AT_6 = {
    "counts the zeros: in a copy, hist[0] becomes hist[1]": 0.815664,
    "drops the zeros: in a copy, hist[0] becomes hist[1], not 0": 0.0436921,
    "leaves out what lies beyond i: the counts of hist[i:] are added to P[i − 1]": 0.0466785,
    "adds the counts beyond i to Q too: only P gets them": 0.0312087,
    "spreads Q over empty bins too: only over those where P is not 0": 0.155143,
    "is KL(Q ‖ P): P comes first": 0.0452025,
    "is in bits: take the natural logarithm": 0.0566915,
}
THRESHOLDS = ((8, 10.2, 11.2), (4, 5.5, 6.15))  # bits, and between what the best candidates lie
TWO_BITS = (3.4, 4.45)  # the same for 2 bits


@pytest.mark.task("4.2", item="values")
def test_histogram_by_hand(student):
    """|x| in four bins between 0 and the largest |x| of both batches, here 4: the counts are 1, 2, 0, 3."""
    batches = [torch.tensor([0.25, -1.5, 1.25]), torch.tensor([[3.5, -4.0, 3.125]])]
    hist, edges = expect.results(student.collect_histogram(batches, bins=4), "hist", "edges")
    hist = expect.tensor(hist, "hist", shape=(4,))
    edges = expect.tensor(edges, "edges", shape=(5,))
    expect.close(edges, torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]), "edges", atol=1e-5)
    signed = {
        "counts x, not |x|": torch.tensor([1.0, 1.0, 0.0, 2.0]),
        "loses the largest value: the last bin contains its right edge": torch.tensor([1.0, 2.0, 0.0, 2.0]),
    }
    expect.close(hist, torch.tensor([1.0, 2.0, 0.0, 3.0]), "hist", lookalikes=signed)


@pytest.mark.task("4.2", item="values")
def test_kl_by_hand(student):
    """The notebook's example: P = [4, 4, 2, 2, 0, 2] / 14 and Q = [10/3, 10/3, 10/3, 3/2, 0, 3/2] / 13."""
    found = expect.number(student.kl_at(torch.tensor(HISTOGRAM, dtype=torch.float64), 6, levels=2), "kl_at")
    expect.close(found, 0.0392956, "kl_at", rtol=1e-4, lookalikes=KL_AT_6)


@pytest.mark.task("4.2", item="values")
def test_kl_by_hand_with_an_empty_last_bin(student):
    """hist[5] is empty, yet P[5] is not: the 9 counts beyond it are added there. Q has nothing there, but its share."""
    hist = torch.tensor([6.0, 4.0, 0.0, 3.0, 5.0, 0.0, 2.0, 7.0], dtype=torch.float64)
    found = expect.number(student.kl_at(hist, 6, levels=2), "kl_at")
    known = {
        "adds the counts beyond i to Q too: only P gets them": 0.0652,
        "looks for empty bins before the counts beyond i are added to P": 9.30,
    }
    for words, other in known.items():
        expect.that(abs(found / other - 1) > 5e-3, f"kl_at {words}", f"{found:.6g}")
    expect.close(found, 0.131471, "kl_at", rtol=1e-4)


@pytest.mark.task("4.2", item="values")
def test_kl_uneven_groups(student):
    """Bin j belongs to group floor(j · levels / i): 5 bins in 2 groups are bins 0 to 2 and bins 3 to 4."""
    hist = torch.tensor([7.0, 9.0, 3.0, 1.0, 2.0, 4.0])
    found = expect.number(student.kl_at(hist, 5, levels=2), "kl_at")
    known = {
        "has groups of 2 and 3 bins; bin j belongs to group floor(j · levels / i), so they have 3 and 2": 0.0999537,
    }
    expect.close(found, 0.199209, "kl_at", rtol=1e-4, lookalikes=known)


@pytest.mark.task("4.2", item="values")
def test_kl_calibrator_clips_an_outlier(student):
    """100,000 exponentially distributed values, none above 12.3, and one of 60: the best threshold is far below 60."""
    count = 100_000
    x = -torch.log1p(-(torch.arange(count, dtype=torch.float64) + 0.5) / count)
    batches = torch.cat([x, torch.tensor([-60.0])]).float().flip(0).split(33_000)
    for bits, least, most in THRESHOLDS:
        scale, zero_point = observed(student.KLCalibrator(bits=bits), batches)
        threshold = float(scale) * (2 ** (bits - 1) - 1)
        known = [
            ("is the largest |x|: nothing is clipped", 59, 61),
            ("is the best for 8 bits whatever bits is", *THRESHOLDS[0][1:]),
        ]
        between(threshold, least, most, "the threshold, scale · largest level,", known)
        expect.that(zero_point == 0, "a symmetric zero point is not 0")


@pytest.mark.task("4.2", item="values")
def test_kl_calibrator_two_bits(student):
    """Two bits have 2^(2−1) = 2 levels, and the largest code is 1: the scale itself is the threshold."""
    count = 100_000
    x = -torch.log1p(-(torch.arange(count, dtype=torch.float64) + 0.5) / count).float()
    scale, _ = observed(student.KLCalibrator(bits=2), x.split(33_000))
    known = [("is the best for 8 bits whatever bits is", *THRESHOLDS[0][1:]), ("is the largest |x|", 12.0, 12.5)]
    between(float(scale), *TWO_BITS, "the threshold, scale · 1,", known)


@pytest.mark.task("4.2", item="values")
def test_kl_calibrator_where_nothing_is_to_be_clipped(student):
    """A third of the values lies at ±1, where the data ends: the last candidate, edges[2048], is the best by far."""
    x = torch.linspace(-1.5, 1.5, 30_001).clamp(-1.0, 1.0)
    scale, _ = observed(student.KLCalibrator(), x.split(20_000))
    known = [("is an edge before the largest |x|: the last candidate is i = bins", 0.99, 0.99952)]
    between(float(scale) * 127, 0.99952, 1.0001, "the threshold, scale · 127,", known)


@pytest.mark.task("4.2", item="extremes")
def test_kl_infinite(student):
    """Where nothing is left of Q, no threshold could be worse: infinity."""
    hist = torch.tensor([50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 2.0])
    found = expect.number(student.kl_at(hist, 4, levels=2), "kl_at")
    expect.that(found == math.inf, "kl_at is not infinite where Q sums to 0", f"{found:.6g}")


@pytest.mark.task("4.2", item="extremes")
def test_kl_calibrator_of_zeros_and_equal_values(student):
    """All-zero data gets a usable scale; where all |x| are 2.5, that is the threshold."""
    scale, _ = observed(student.KLCalibrator(), [torch.zeros(3, 4), torch.zeros(5)])
    expect.usable_scale(scale)
    scale, _ = observed(student.KLCalibrator(), [torch.full((50,), -2.5), torch.full((2, 5), 2.5)])
    between(float(scale) * 127, 2.49, 2.51, "the threshold, scale · 127,")


@pytest.mark.task("4.2", item="inputs")
def test_histogram_of_half_precision(student, rng):
    """Half-precision data is counted in float32: as the same data in float32 is."""
    for dtype in (torch.float16, torch.bfloat16):
        batches = [(3 * torch.randn(2000, generator=rng)).to(dtype) for _ in range(2)]
        hist, edges = expect.results(student.collect_histogram(batches, bins=256), "hist", "edges")
        want, of_float = expect.results(
            student.collect_histogram([b.float() for b in batches], bins=256), "hist", "edges"
        )
        hist, want = expect.tensor(hist, "hist", shape=(256,)), expect.tensor(want, "hist", shape=(256,))
        expect.close(expect.tensor(edges, "edges", shape=(257,)), of_float, "edges", atol=1e-4)
        top = float(torch.cat(batches).float().abs().max())
        expect.that(abs(float(edges[-1]) / top - 1) < 1e-4, "edges do not end at the largest |x|")
        moved = float((hist.double().cumsum(0) - want.double().cumsum(0)).abs().max())
        expect.that(float(hist.double().sum()) == 4000, "hist does not count every value once")
        expect.that(moved <= 40, "half-precision values are counted in other bins than float32 ones", f"{moved:.0f}")


@pytest.mark.task("4.2", item="inputs")
def test_histogram_of_views(student, rng):
    """Transposed, sliced and expanded tensors are counted as others are."""
    for what, view in expect.layouts(torch.randn(5, 6, 40, generator=rng)):
        found = expect.layout_call(student.collect_histogram, [view, -view], bins=64, what=what)
        hist, edges = expect.results(found, "hist", "edges")
        expect.close(expect.tensor(edges, "edges", shape=(65,))[-1], view.abs().max(), "the last edge", rtol=1e-4)
        hist = expect.tensor(hist, "hist", shape=(64,))
        expect.that(float(hist.double().sum()) == 2 * view.numel(), f"hist of {what} does not count every value once")
        expect.layout_call(student.KLCalibrator().observe, view, what=what)


@pytest.mark.task("4.2", item="inputs")
def test_histogram_where_the_data_lives(student, rng, device):
    """Values are counted where they live, without a step for each of them."""
    batches = [torch.randn(2000, generator=rng), 3 * torch.randn(2000, generator=rng)]
    on = [batch.to(device) for batch in batches]
    hist, edges = expect.results(expect.device_call(student.collect_histogram, on, bins=32), "hist", "edges")
    expect.on_device(student, on[0], hist=hist, edges=edges)
    total = float(expect.tensor(hist, "hist", shape=(32,)).double().sum())
    expect.that(total == 4000, "hist does not count every value once", f"{total}")


@pytest.mark.task("4.2", item="errors")
def test_kl_calibrator_refuses_other_bits_and_nan(student):
    """`bits` outside 2 to 8 is a ValueError, at the latest on first use; so is NaN in the data, or none at all."""
    for bits in (1, 9, 2.5):
        expect.raises(ValueError, partial(used, student.KLCalibrator, bits), because=f"bits was {bits}")
    for because, x in (("the data held NaN", torch.tensor([1.0, math.nan])), ("the data was empty", torch.zeros(0))):
        expect.raises(ValueError, partial(student.KLCalibrator().observe, x), because=because, named=True)


@pytest.mark.task("4.2", item="errors")
def test_kl_needs_enough_bins(student):
    """64 bins can't be merged into 128 levels: a ValueError."""
    call = partial(student.kl_at, torch.ones(64), 64, levels=128)
    expect.raises(ValueError, call, because="there were fewer bins than levels")


@pytest.mark.task("4.2", item="state")
def test_kl_leaves_its_histogram(student):
    """hist[0] is replaced in a copy: the histogram itself is unchanged, for the next candidate; data is, too."""
    student.kl_at(torch.tensor(HISTOGRAM, dtype=torch.float64), 6, levels=2)
    expect.inputs_unchanged(student)
    x = torch.tensor([[0.5, -2.0], [1.0, 0.0]])
    student.KLCalibrator().observe(x)
    expect.inputs_unchanged(student)
    student.collect_histogram([x, 2 * x], bins=8)
    expect.inputs_unchanged(student)


@pytest.mark.task("4.2", item="errors")
def test_kl_calibrator_needs_data(student):
    """Before anything was observed there is no histogram: a RuntimeError."""
    calibrator = student.KLCalibrator()
    expect.raises(RuntimeError, calibrator.quantization_parameters, because="nothing was observed")


# ------------------------------------------------------------------ 4.4 layer_sensitivity

GPT2 = {
    "vocab_size": 24,
    "n_embd": 16,
    "n_layer": 1,
    "n_head": 2,
    "n_positions": 12,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "tie_word_embeddings": True,
}
SHAPES = {
    "wte": (24, 16),
    "wpe": (12, 16),
    "h.0.attn.c_attn": (16, 48),
    "h.0.attn.c_proj": (16, 16),
    "h.0.mlp.c_fc": (16, 64),
    "h.0.mlp.c_proj": (64, 16),
}
NORMS = ("h.0.ln_1", "h.0.ln_2", "ln_f")
LAYERS = (
    "transformer.h.0.attn.c_attn",
    "transformer.h.0.attn.c_proj",
    "transformer.h.0.mlp.c_fc",
    "transformer.h.0.mlp.c_proj",
)

KL_OF_LAYERS = {
    "transformer.h.0.attn.c_attn": {3: 0.0196073, 6: 0.000246152},
    "transformer.h.0.attn.c_proj": {3: 0.0124078, 6: 0.000147218},
    "transformer.h.0.mlp.c_fc": {3: 0.0211029, 6: 0.000268518},
    "transformer.h.0.mlp.c_proj": {3: 0.0126728, 6: 0.000127981},
}
KL_PER_TENSOR = {
    "transformer.h.0.attn.c_attn": {3: 0.104713, 6: 0.000580119},
    "transformer.h.0.attn.c_proj": {3: 0.0368654, 6: 0.000181867},
    "transformer.h.0.mlp.c_fc": {3: 0.0809841, 6: 0.000558936},
    "transformer.h.0.mlp.c_proj": {3: 0.0408541, 6: 0.000750063},
}
KL_WRONG_AXIS = {
    "transformer.h.0.attn.c_attn": {3: 0.0488478, 6: 0.000871992},
    "transformer.h.0.attn.c_proj": {3: 0.0268781, 6: 0.000213329},
    "transformer.h.0.mlp.c_fc": {3: 0.0853378, 6: 0.000799385},
    "transformer.h.0.mlp.c_proj": {3: 0.044945, 6: 0.000264664},
}
KL_REVERSED = {
    "transformer.h.0.attn.c_attn": {3: 0.0211134, 6: 0.000246065},
    "transformer.h.0.attn.c_proj": {3: 0.0121033, 6: 0.000146379},
    "transformer.h.0.mlp.c_fc": {3: 0.021487, 6: 0.000269443},
    "transformer.h.0.mlp.c_proj": {3: 0.0127478, 6: 0.000128507},
}
KL_ACCUMULATED = {
    "transformer.h.0.attn.c_attn": {3: 0.0196073, 6: 0.0184452},
    "transformer.h.0.attn.c_proj": {3: 0.0321361, 6: 0.0324617},
    "transformer.h.0.mlp.c_fc": {3: 0.048004, 6: 0.0479586},
    "transformer.h.0.mlp.c_proj": {3: 0.0521127, 6: 0.0519511},
}
KL_OF_BATCHES = {
    "transformer.h.0.attn.c_attn": {3: 0.0145726, 6: 0.000243559},
    "transformer.h.0.attn.c_proj": {3: 0.010584, 6: 0.000124529},
    "transformer.h.0.mlp.c_fc": {3: 0.0203069, 6: 0.000244979},
    "transformer.h.0.mlp.c_proj": {3: 0.0100381, 6: 0.000130721},
}


def waves(shape, seed):
    """Numbers like random ones, between −1 and 1, but the same on every machine."""
    k = torch.arange(math.prod(shape), dtype=torch.float64) + 1
    return torch.sin(k * k * 0.7 + 13.7 * seed + k).reshape(shape)


def small_gpt2():
    """A GPT-2 of one block, as plain data; its output channels have ranges of their own."""
    state = {}
    for seed, (name, shape) in enumerate(SHAPES.items()):
        ranges = 1.0 if name in ("wte", "wpe") else 0.25 * torch.exp(waves((1, shape[1]), seed + 50))
        state[f"transformer.{name}.weight"] = (waves(shape, seed) * ranges).float()
        if name not in ("wte", "wpe"):
            state[f"transformer.{name}.bias"] = (0.1 * waves(shape[1:], seed + 80)).float()
    for name in NORMS:
        state[f"transformer.{name}.weight"], state[f"transformer.{name}.bias"] = torch.ones(16), torch.zeros(16)
    return {"class_name": "GPT2LMHeadModel", "config": GPT2, "state": state}


def token_batches():
    """A batch of five rows of twelve tokens, and a batch of one row."""
    tokens = (torch.arange(72) * torch.arange(72) * 5 + 3 * torch.arange(72)) % 24
    return [{"input_ids": part} for part in tokens.reshape(6, 12).split((5, 1))]


def check_layers(found, names, bits):
    """{layer: {bits: KL}} with these layers and these numbers of bits; returns the figures."""
    expect.that(type(found) is dict, "returned no dict; expected {layer: {bits: KL}}")
    outward = bool(found) and all(type(key) is int for key in found)
    expect.that(
        not outward, "the keys are numbers; expected {layer: {bits: KL}}, the layers' names outside", f"{list(found)}"
    )
    found = {name: of_layer for name, of_layer in found.items() if name != "lm_head"}  # tied: free to be there
    missing, unknown = sorted(set(names) - set(found)), sorted(set(map(str, found)) - set(names))
    expect.that(not missing, "layers are missing (is every Linear and Conv1D there?)", ", ".join(missing))
    expect.that(not unknown, "there are keys that name no Linear or Conv1D that was called", ", ".join(unknown))
    for name, of_layer in found.items():
        expect.that(type(of_layer) is dict, "a layer's value is no dict; expected {bits: KL}", name)
        expect.that(set(of_layer) == set(bits), "a layer's keys are not the numbers of bits", f"{name}: {of_layer}")
    return {name: {b: expect.number(kl, "KL") for b, kl in of_layer.items()} for name, of_layer in found.items()}


CROSS_BERT = {
    "vocab_size": 24,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 12,
    "num_labels": 3,
    "is_decoder": True,
    "add_cross_attention": True,
    "tie_word_embeddings": False,
}


def is_linear_weight(name):
    """Whether it is the weight of one of BERT's linear layers, by its name."""
    return name.endswith(".weight") and "LayerNorm" not in name and "embeddings" not in name


def cross_bert_state():
    """Weights of a BERT of one block that attends to `encoder_hidden_states`, too, where a batch has them."""
    from autograder.runtime import kit  # noqa: PLC0415

    state = kit.model("BertForSequenceClassification", CROSS_BERT).state_dict()
    large = {name: value for name, value in state.items() if name.endswith(".weight") and value.dim() == 2}
    return {**state, **{name: 0.5 * waves(value.shape, at).float() for at, (name, value) in enumerate(large.items())}}


def unchanged(student, model, before):
    """The model is in the condition that it had."""
    after = student.remote.condition(model)
    changed = [name for name in before if before[name] != after[name]]
    expect.that(not changed, f"the model is not as it was: {', '.join(changed)}")


@pytest.mark.task("4.4", item="values")
def test_sensitivity_of_a_small_model(student):
    """Each layer of a GPT-2 with one block, alone, at 3 and 6 bits: the KL of the model's outputs."""
    model = student.remote.model(**small_gpt2())
    found = check_layers(student.layer_sensitivity(model, token_batches(), bits=(3, 6)), LAYERS, (3, 6))
    for name, of_layer in KL_OF_LAYERS.items():
        for bits, kl in of_layer.items():
            known = {
                "grows from layer to layer: restore a layer before you quantize the next": KL_ACCUMULATED[name][bits],
                "is that of one scale for the whole weight: quantize per output channel": KL_PER_TENSOR[name][bits],
                "is that of scales along the wrong axis: a Conv1D weight is [in, out]": KL_WRONG_AXIS[name][bits],
                "is KL(quantized ‖ original): the original comes first": KL_REVERSED[name][bits],
                "is that of the other number of bits": of_layer[9 - bits],
                "is a sum over rows: take the mean": kl * 72,
                "is summed over the batches: take the mean over all rows": 2 * KL_OF_BATCHES[name][bits],
                "is the mean of the batches' means: take the mean over all rows": KL_OF_BATCHES[name][bits],
            }
            what = f"the KL of {name.removeprefix('transformer.')} at {bits} bits"
            expect.close(found[name][bits], kl, what, rtol=0.03, lookalikes=known)


@pytest.mark.task("4.4", item="values")
def test_sensitivity_default_bits(student):
    """Without `bits`: 2, 3, 4, 6 and 8; two bits hurt every layer far more than eight."""
    model = student.remote.model(**small_gpt2())
    found = check_layers(student.layer_sensitivity(model, token_batches()[:1]), LAYERS, (2, 3, 4, 6, 8))
    for of_layer in found.values():
        expect.that(0 < of_layer[8] < of_layer[2] / 10, "two bits do not hurt far more than eight", f"{of_layer}")


@pytest.mark.task("4.4", item="values")
def test_sensitivity_leaves_out_what_is_not_called(student):
    """A Linear named "unused" that no batch calls is left out; the model, whose head is its own, is as it was."""
    described = small_gpt2()
    described["config"] = {**GPT2, "tie_word_embeddings": False}
    described["state"]["lm_head.weight"] = waves((24, 16), 11).float()
    model = student.remote.model(**described)
    model.add_module("unused", student.remote.linear(torch.tensor([[1.0, -0.4, 0.7]])))
    student.remote.set_training(model, False)
    before = student.remote.condition(model)
    check_layers(student.layer_sensitivity(model, token_batches()[1:], bits=(5,)), LAYERS, (5,))
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="values")
def test_sensitivity_of_what_a_later_batch_calls(student):
    """Only the second batch calls the layers of the cross-attention: they are there, with a KL of their own."""
    described = {"class_name": "BertForSequenceClassification", "config": CROSS_BERT, "state": cross_bert_state()}
    plain, more = token_batches()[1:], token_batches()[1:]
    more[0]["encoder_hidden_states"] = waves((1, 3, 16), 7).float()
    found = student.layer_sensitivity(student.remote.model(**described), [*plain, *more], bits=(3,))
    names = [name.removesuffix(".weight") for name in described["state"] if is_linear_weight(name)]
    for name, of_layer in check_layers(found, names, (3,)).items():
        if "crossattention.output" in name:
            expect.that(of_layer[3] > 0, f"the KL of {name} is not above 0", f"{of_layer[3]:.3g}")


@pytest.mark.task("4.4", item="state")
def test_sensitivity_leaves_the_model(student):
    """The model is as it was: weights, train or eval mode, hooks, gradients."""
    model = student.remote.model(**small_gpt2())
    model.train()
    before = student.remote.condition(model)
    student.layer_sensitivity(model, token_batches()[:1], bits=(2,))
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="state")
def test_sensitivity_in_training_mode(student):
    """A model in training mode is measured without its dropout: the same KL as in eval mode."""
    model = student.remote.model(**small_gpt2())
    model.train()
    found = check_layers(student.layer_sensitivity(model, token_batches(), bits=(3,)), LAYERS, (3,))
    for name, of_layer in KL_OF_LAYERS.items():
        what = f"the KL of {name.removeprefix('transformer.')} at 3 bits, of a model in training mode,"
        expect.close(found[name][3], of_layer[3], what, rtol=0.03)


@pytest.mark.task("4.4", item="state")
def test_sensitivity_leaves_what_was_there(student):
    """Frozen weights stay frozen, a tied head tied, the caller's hooks where they were; batches hold what they held."""
    model, batches = student.remote.model(**small_gpt2()), token_batches()[1:]
    student.remote.set_trainable(model, False)
    student.remote.set_trainable(student.remote.submodule(model, "transformer.wpe"), True)
    for name in ("transformer.ln_f", "transformer.h.0.attn.c_attn"):
        student.remote.hook(student.remote.submodule(model, name))
    before = student.remote.condition(model)
    student.layer_sensitivity(model, batches, bits=(3,))
    words = "the batches are not what they were: entries were put in, taken out or changed"
    expect.that(not student.last_call.mutated, words)
    tied = student.remote.tied(model, "lm_head.weight", "transformer.wte.weight")
    expect.that(tied is True, "the head no longer shares its weight with the embedding")
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="state")
def test_sensitivity_without_gradients(student):
    """A stand-in for a model notes how it is called: in eval mode and without gradients, each time."""
    table = waves((4, 4), 3).float()
    model = student.remote.probe(table)  # its logits are the rows of the table
    model.add_module("dropout", student.remote.linear(table))
    student.remote.set_training(model, True)
    with contextlib.suppress(AttributeError):  # a stand-in has less than a transformers model
        student.layer_sensitivity(model, [{"input_ids": torch.tensor([[0, 1, 2, 3, 1]])}], bits=(4,))
    calls = student.remote.noted(model)  # none, if the answer works on a copy
    count = f"{len(calls)} calls"
    words = "the model is measured in training mode; use eval mode"
    expect.that(not any(call["training"] for call in calls), words, count)
    words = "the model is measured with gradients on: use torch.no_grad()"
    expect.that(not any(call["grad"] for call in calls), words, count)


@pytest.mark.task("4.4", item="values")
def test_sensitivity_of_large_logits(student):
    """Logits of some hundreds: probabilities that underflow spoil nothing, since log_softmax needs no epsilon."""
    from autograder.runtime import kit  # noqa: PLC0415

    described = small_gpt2()
    described["state"]["transformer.ln_f.weight"] = 60 * described["state"]["transformer.ln_f.weight"]
    found = student.layer_sensitivity(student.remote.model(**described), token_batches(), bits=(3,))
    found = check_layers(found, LAYERS, (3,))
    name = "transformer.h.0.mlp.c_fc"
    models_logits = []
    for bits in (None, 3):
        model = kit.model(**described)
        weight = model.get_submodule(name).weight
        if bits:
            weight.data = on_levels(weight.detach(), weight.detach().abs().amax(dim=0, keepdim=True), bits).float()
        rows = [logits.flatten(0, -2) for logits in float_logits(model.eval(), token_batches())]
        models_logits.append(torch.cat(rows).double().log_softmax(dim=-1))
    log_p, log_q = models_logits
    want = float((log_p.exp() * (log_p - log_q)).sum(dim=-1).mean())
    expect.close(found[name][3], want, "the KL of a layer before large logits", rtol=0.03)


@pytest.mark.task("4.4", item="errors")
def test_sensitivity_refuses_other_bits(student):
    """A number of bits that does not exist is a ValueError, and the model is as it was even then."""
    model = student.remote.model(**small_gpt2())
    before = student.remote.condition(model)
    for bits in ((3, 9), (1,), (2.5,)):
        call = partial(student.layer_sensitivity, model, token_batches()[1:], bits=bits)
        expect.raises(ValueError, call, because=f"bits held {bits[-1]}")
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="errors")
def test_sensitivity_hands_errors_on(student):
    """A token that the embedding does not have: the model's IndexError reaches the caller."""
    batches = [*token_batches()[1:], {"input_ids": torch.tensor([[1, 99]])}]
    call = partial(student.layer_sensitivity, student.remote.model(**small_gpt2()), batches, bits=(3,))
    expect.raises(IndexError, call, because="a token is not in the vocabulary")


# ------------------------------------------------------------------ 4.5 assign_bits, quantize_mixed


def check_plan(plan, sensitivity, sizes, budget):
    """{layer: offered bits} within the budget; returns its total sensitivity."""
    expect.that(type(plan) is dict, "the plan is no dict; expected {layer: bits}")
    expect.that(set(plan) == set(sensitivity), "the plan's keys are not the layers", f"{plan}")
    for name, bits in plan.items():
        expect.that(
            type(bits) is int and bits in sensitivity[name],
            "the plan has bits that the layer does not offer",
            f"{name}: {bits}",
        )
    spent = sum(-(-sizes[name] * bits // 8) for name, bits in plan.items())
    expect.that(spent <= budget, "the plan costs more than the budget", f"{spent} bytes of {budget}: {plan}")
    return sum(sensitivity[name][bits] for name, bits in plan.items())


@pytest.mark.task("4.5", item="values")
def test_assign_by_hand(student):
    """Three layers, 600 bytes: `head` is small and sensitive and gets 8 bits, `wide` is large and calm and gets 2."""
    sensitivity = {
        "wide": {2: 0.020, 4: 0.008, 8: 0.001},
        "head": {2: 0.900, 4: 0.200, 8: 0.010},
        "mid": {2: 0.300, 4: 0.050, 8: 0.004},
    }
    sizes = {"wide": 1600, "head": 80, "mid": 200}
    plan = student.assign_bits(sensitivity, sizes, 600)
    total = check_plan(plan, sensitivity, sizes, 600)  # wide 2: 400, head 8: 80, mid 4: 100 bytes
    expect.that(total <= 0.08 * 1.25, "another plan within the budget is far better", f"{plan}: {total:.4g}")


@pytest.mark.task("4.5", item="values")
def test_assign_sixteen_and_own_choices(student):
    """Each layer offers bits of its own; 16 means left alone and costs 2 bytes a weight."""
    sensitivity = {"a": {16: 0.0, 4: 0.6}, "b": {8: 0.01, 3: 0.02}, "c": {2: 0.5, 5: 0.03, 16: 0.0}}
    sizes = {"a": 100, "b": 100, "c": 100}
    plan = student.assign_bits(sensitivity, sizes, 303)  # a 16: 200, b 3: 38, c 5: 63 bytes; together 301
    total = check_plan(plan, sensitivity, sizes, 303)
    expect.that(total <= 0.05 * 1.25, "another plan within the budget is far better", f"{plan}: {total:.4g}")


@pytest.mark.task("4.5", item="values")
def test_assign_gain_for_a_byte(student):
    """The gain for each byte counts: `wide` gains most, but four narrow layers gain more for the same bytes."""
    narrow = {f"narrow.{at}": {2: 0.4, 8: 0.01} for at in range(4)}
    sensitivity = {"wide": {2: 1.0, 8: 0.1}, **narrow}
    sizes = {"wide": 4000, **dict.fromkeys(narrow, 1000)}
    plan = student.assign_bits(sensitivity, sizes, 5000)  # wide 2: 1000 bytes, each narrow one 8: 1000 bytes
    total = check_plan(plan, sensitivity, sizes, 5000)
    words = "another plan within the budget is far better: look at the gain for each byte"
    expect.that(total <= 1.04 * 1.25, words, f"{plan}: {total:.4g}")


@pytest.mark.task("4.5", item="values")
def test_assign_where_a_bit_more_is_worse(student):
    """For `a` and `b` 3 bits are worse than 2, and 4 far better: whoever looks one step ahead never gets there."""
    sensitivity = {"a": {2: 1.0, 3: 1.1, 4: 0.01}, "b": {2: 0.5, 3: 0.6, 4: 0.01}, "c": {2: 0.02, 4: 0.019}}
    sizes = dict.fromkeys(sensitivity, 400)
    plan = student.assign_bits(sensitivity, sizes, 500)  # a 4, b 4: 200 bytes each; c 2: 100
    total = check_plan(plan, sensitivity, sizes, 500)
    words = "another plan within the budget is far better: look at all of a layer's options, not at the next one"
    expect.that(total <= 0.04 * 1.25, words, f"{plan}: {total:.4g}")


@pytest.mark.task("4.5", item="values")
def test_assign_does_not_count_single_bytes(student):
    """Layers may be as large as one likes: a table with a place for every byte of the budget has no room."""
    sensitivity = {"wide": {2: 0.020, 8: 0.001}, "head": {2: 0.900, 8: 0.010}}
    sizes = {"wide": 1600 * 10**9, "head": 80 * 10**9}
    plan = student.assign_bits(sensitivity, sizes, 500 * 10**9)  # wide 2: 400, head 8: 80
    total = check_plan(plan, sensitivity, sizes, 500 * 10**9)
    expect.that(total <= 0.03 * 1.25, "another plan within the budget is far better", f"{plan}: {total:.4g}")


@pytest.mark.task("4.5", item="values")
def test_assign_what_costs_nothing(student):
    """Where the budget pays for 16 bits everywhere, nothing is lost at all: a total of 0."""
    sensitivity = {"a": {4: 1e-6, 16: 0.0}, "b": {2: 0.3, 16: 0.0}, "c": {3: 1e-5, 8: 1e-6, 16: 0.0}}
    sizes = {"a": 50, "b": 51, "c": 52}
    total = check_plan(student.assign_bits(sensitivity, sizes, 306), sensitivity, sizes, 306)
    expect.that(total <= 1e-9, "bytes are left over that would have helped", f"{total:.4g}")


@pytest.mark.task("4.5", item="values")
def test_mixed_by_hand(student):
    """Layer "0" at 2 bits: levels −1, 0, 1 times the largest |w| of its row; layer "1" is left alone."""
    first = torch.tensor([[1.0, -0.4, 0.7], [0.2, 8.0, -6.0]])
    second = torch.tensor([[0.5, 0.31]])
    model = student.remote.sequential(student.remote.linear(first), student.remote.linear(second))
    made = student.quantize_mixed(model, {"0": 2, "1": 16})
    found = student.remote.output(student.remote.submodule(made, "0"), torch.eye(3))  # what the layer does: weight.T
    want = torch.tensor([[1.0, 0.0, 1.0], [0.0, 8.0, -8.0]])
    known = {
        "has one scale for all rows: quantize per output channel": torch.tensor([[0.0, 0.0, 0.0], [0.0, 8.0, -8.0]]),
        "is not quantized": first,
    }
    weight = expect.tensor(found, "layer 0", shape=(3, 2)).T
    expect.close(weight, want, "the weight of layer 0", atol=1e-5, lookalikes=known)
    found = student.remote.output(student.remote.submodule(made, "1"), torch.eye(2))
    expect.close(
        expect.tensor(found, "layer 1", shape=(2, 1)).T, second, "the weight of layer 1, which 16 leaves alone,"
    )


@pytest.mark.task("4.5", item="values")
def test_mixed_conv1d(student):
    """A Conv1D weight is [in, out]: one scale for each column."""
    weight = torch.tensor([[1.0, 0.2], [-0.4, 8.0], [0.7, -6.0]])
    made = student.quantize_mixed(student.remote.sequential(student.remote.conv1d(weight)), {"0": 2})
    found = student.remote.output(student.remote.submodule(made, "0"), torch.eye(3))
    known = {
        "has a scale for each row, which is an input here": torch.tensor([[1.0, 0.0], [0.0, 8.0], [0.0, -6.0]]),
        "is not quantized": weight,
    }
    want = torch.tensor([[1.0, 0.0], [0.0, 8.0], [1.0, -8.0]])
    found = expect.tensor(found, "the layer", shape=(3, 2))
    expect.close(found, want, "the weight of a Conv1D", atol=1e-5, lookalikes=known)


@pytest.mark.task("4.5", item="values")
def test_mixed_layers(student):
    """Linear, Conv1D and Linear by two plans, one after the other; biases, and what no plan names, stay."""
    weights = [waves(shape, seed).float() for seed, shape in enumerate(((6, 5), (6, 4), (3, 4)))]
    biases = [waves((size,), 9).float() for size in (6, 4, 3)]
    makes = (student.remote.linear, student.remote.conv1d, student.remote.linear)
    parts = [make(weight, bias) for make, weight, bias in zip(makes, weights, biases, strict=True)]
    for plan in ({"1": 4, "2": 6}, {"0": 5, "1": 3}):
        made = student.quantize_mixed(student.remote.sequential(*parts), plan)
        for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            kept, width = (1, 6) if at == 1 else (0, weight.shape[1])
            layer, bits = student.remote.submodule(made, str(at)), plan.get(str(at))
            found = student.remote.output(layer, torch.cat((torch.eye(width), torch.zeros(1, width))))
            found = expect.tensor(found, f"layer {at}", shape=(width + 1, len(bias)))
            expect.close(found[-1], bias, f"the bias of layer {at}, plan {plan},", atol=1e-6)
            amax = weight.abs().amax(dim=1 - kept, keepdim=True)
            want = on_levels(weight, amax, bits).float() if bits else weight
            weight_found = found[:-1] - bias if at == 1 else (found[:-1] - bias).T
            expect.close(weight_found, want, f"the weight of layer {at}, plan {plan},", atol=1e-5)


@pytest.mark.task("4.5", item="values")
def test_assign_infeasible(student):
    """Where even the fewest bits cost more than the budget, there is no plan: a ValueError."""
    sensitivity = {"a": {2: 0.5, 4: 0.1}, "b": {3: 0.2, 8: 0.0}}
    call = partial(student.assign_bits, sensitivity, {"a": 64, "b": 64}, 39)  # 16 + 24 bytes is the least
    expect.raises(ValueError, call, because="even the cheapest plan costs more than the budget")


@pytest.mark.task("4.5", item="values")
def test_assign_counts_whole_bytes(student):
    """A layer's bytes are rounded up: 5 weights of 3 bits are 15 bits, which take 2 bytes."""
    sensitivity = {"a": {2: 0.5, 3: 0.4}, "b": {2: 0.5, 3: 0.4}}
    sizes = {"a": 5, "b": 3}  # at 2 bits 10 and 6 bits: 2 and 1 bytes; at 3 bits 15 and 9 bits: 2 and 2 bytes
    check_plan(student.assign_bits(sensitivity, sizes, 3), sensitivity, sizes, 3)


@pytest.mark.task("4.5", item="state")
def test_mixed_stays_tied(student):
    """A head that shares its weight with the embedding still does, whether it is in the plan or not."""
    for plan in ({"lm_head": 3}, {"transformer.h.0.mlp.c_fc": 4}):
        made = student.quantize_mixed(student.remote.model(**small_gpt2()), plan)
        tied = student.remote.tied(made, "lm_head.weight", "transformer.wte.weight")
        expect.that(tied is True, "the head no longer shares its weight with the embedding", f"plan {plan}")


@pytest.mark.task("4.5", item="state")
def test_assign_leaves_its_inputs(student):
    """The sensitivities and the sizes that were handed in are what they were."""
    sensitivity, sizes = {"a": {2: 0.5, 4: 0.1, 16: 0.0}, "b": {3: 0.2, 8: 0.0}}, {"a": 64, "b": 65}
    student.assign_bits(sensitivity, sizes, 100)
    words = "sensitivity or sizes are changed: work on copies, also of the dicts within"
    expect.that(not student.last_call.mutated, words)


@pytest.mark.task("4.5", item="extremes")
def test_mixed_zero_channel(student):
    """A channel that is all zero stays zero; a constant one, or one of a single weight, keeps its value."""
    for weight in (torch.tensor([[0.0, 0.0, 0.0], [0.7, 0.7, 0.7]]), torch.tensor([[-2.5], [0.0], [0.3]])):
        made = student.quantize_mixed(student.remote.sequential(student.remote.linear(weight)), {"0": 4})
        found = student.remote.output(student.remote.submodule(made, "0"), torch.eye(weight.shape[1]))
        found = expect.tensor(found, "the layer", shape=(weight.shape[1], len(weight))).T
        expect.close(found, weight, "the weight", atol=1e-5)


@pytest.mark.task("4.5", item="errors")
def test_mixed_refuses_other_bits(student):
    """A number of bits that does not exist is a ValueError; 16 does exist here."""
    model = student.remote.sequential(student.remote.linear(torch.tensor([[1.0, -0.4, 0.7]])))
    for bits in (1, 12, 2.5):
        call = partial(student.quantize_mixed, model, {"0": bits})
        expect.raises(ValueError, call, because=f"the plan asked for {bits} bits")


@pytest.mark.task("4.5", item="state")
def test_mixed_returns_a_copy(student):
    """The model that was given keeps its weights."""
    model = student.remote.sequential(student.remote.linear(torch.tensor([[1.0, -0.4, 0.7]])))
    before = student.remote.condition(model)
    student.quantize_mixed(model, {"0": 2})
    after = student.remote.condition(model)
    changed = [name for name in before if before[name] != after[name]]
    expect.that(not changed, f"the given model is not as it was ({', '.join(changed)}): work on a copy")


# ------------------------------------------------------------------ 4.6 smoothquant


def near_float(got, want, what):
    """The same float output, within 1e-5 of its largest value."""
    got = expect.tensor(got, what, shape=want.shape)
    worst = float((got.double() - want.double()).abs().max() / want.abs().max())
    expect.that(worst <= 1e-5, f"{what} is not what it was in float32", f"off by {worst:.2g} of the largest value")


def on_levels(x, amax, bits):
    """x as the levels within ±amax restore it, in float64; amax broadcasts."""
    step = amax.double().clamp(min=1e-30) / (2 ** (bits - 1) - 1)
    return (x.double() / step).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step


def w8a8_error(x, weight, want):
    """How far x @ weight.T lies from `want` with x per tensor and the weight per row in 8 bits."""
    rounded = on_levels(x, x.abs().amax(), 8), on_levels(weight, weight.abs().amax(dim=1, keepdim=True), 8)
    return float((rounded[0] @ rounded[1].T - want.double()).norm())


def with_hot_channels(width, rng):
    """(inputs [128, width], a norm's weight [width]): the norm makes three channels far larger than the rest."""
    gain = 0.5 + torch.rand(width, generator=rng)
    gain[torch.randperm(width, generator=rng)[:3]] *= torch.tensor([30.0, 50.0, 80.0])
    return torch.randn(128, width, generator=rng), gain


def check_smoother(student, x, before, floats, made):
    """What `apply_smoothquant` returned: the same in float32, and clearly closer in 8 bits.

    x: the norm's input; before: its output; floats: (weight, bias) of each linear layer, as they were handed in.
    """
    smooth_norm, smooth_linears = expect.results(made, "norm", "linears")
    expect.that(type(smooth_linears) in (list, tuple), "linears is no list")
    expect.that(len(smooth_linears) == len(floats), "linears has another length than the linears that were given")
    smooth = expect.tensor(student.remote.output(smooth_norm, x), "the norm's output", shape=x.shape)
    for layer, (weight, bias) in zip(smooth_linears, floats, strict=True):
        want = before @ weight.T
        near_float(student.remote.output(layer, smooth), want if bias is None else want + bias, "the float output")
        changed = expect.tensor(layer.weight, "the linear layer's weight", shape=weight.shape)
        ratio = w8a8_error(smooth, changed, want) / w8a8_error(before, weight, want)
        words = "with the weights and activations in 8 bits the error is not clearly smaller than before"
        expect.that(ratio <= 0.5, words, f"{ratio:.2f} times the error without SmoothQuant, expected at most 0.5")


@pytest.mark.task("4.6", item="values")
def test_smoothquant_scales_by_hand(student):
    """Channel peaks 16 and 1 in the activations, 4 and 0.25 in the weight: scales √16 / √4 and √1 / √0.25."""
    weight = torch.tensor([[1.0, 0.25], [-4.0, 0.0], [2.0, -0.125]])
    scales = expect.tensor(student.smoothquant_scales(torch.tensor([16.0, 1.0]), weight), "scales", shape=(2,))
    lookalikes = {
        "is upside down: activations are divided by it, so a large channel needs a large scale": [0.5, 0.5],
        "uses the weight's largest value, not the largest magnitude": [math.sqrt(8), 2.0],
        "is the product of both factors: the weight's peak divides": [8.0, 0.5],
        "uses one peak of the whole weight, not one for each input channel": [2.0, 0.5],
    }
    known = {words: torch.tensor(values) for words, values in lookalikes.items()}
    expect.close(scales, torch.tensor([2.0, 2.0]), "the result", lookalikes=known)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_scales_follow_alpha(student):
    """alpha = 3/4: channel peaks 16 and 81, weight peaks 16 and 1: scales 8 / 2 and 27 / 1."""
    weight = torch.tensor([[-16.0, 0.5], [3.0, 1.0]])
    found = student.smoothquant_scales(torch.tensor([16.0, 81.0]), weight, alpha=0.75)
    lookalikes = {"has alpha on the wrong factor": [0.25, 3.0], "ignores alpha": [1.0, 9.0]}
    known = {words: torch.tensor(values) for words, values in lookalikes.items()}
    expect.close(expect.tensor(found, "scales", shape=(2,)), torch.tensor([4.0, 27.0]), "the result", lookalikes=known)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_after_llamas_norm(student, rng):
    """Llama's norm has no bias, not even one that is None, and a LayerNorm's may be None: the same float output."""
    x, gain = with_hot_channels(48, rng)
    weight = 0.1 * torch.randn(24, 48, generator=rng)
    root = (x.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()
    pairs = (
        (student.remote.rms_norm(gain), x / root * gain),
        (student.remote.layer_norm(gain), nn.functional.layer_norm(x, (48,), gain)),
    )
    for norm, before in pairs:
        scales = 3 * before.abs().amax(dim=0).sqrt()
        made = student.apply_smoothquant(norm, [student.remote.linear(weight)], scales)
        check_smoother(student, x, before, [(weight, None)], made)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_with_biases(student, rng):
    """A linear layer's own bias is added after the product: smoothing leaves it as it is."""
    x, gain = with_hot_channels(48, rng)
    shift, bias = torch.randn(48, generator=rng), torch.linspace(-2.0, 2.0, 24)
    weight = 0.1 * torch.randn(24, 48, generator=rng)
    before = nn.functional.layer_norm(x, (48,), gain, shift)
    norm, linear = student.remote.layer_norm(gain, shift), student.remote.linear(weight, bias)
    made = student.apply_smoothquant(norm, [linear], 3 * before.abs().amax(dim=0).sqrt())
    check_smoother(student, x, before, [(weight, bias)], made)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_keeps_the_float_output(student, rng):
    """LayerNorm and two linear layers after smoothing: the same float output, a clearly smaller error in 8 bits."""
    x, gain = with_hot_channels(64, rng)
    bias = 0.1 * torch.randn(64, generator=rng)
    weights = [0.1 * torch.randn(rows, 64, generator=rng) for rows in (48, 32)]
    norm, linears = student.remote.layer_norm(gain, bias), [student.remote.linear(weight) for weight in weights]
    before = nn.functional.layer_norm(x, (64,), gain, bias)
    scales = 2 * before.abs().amax(dim=0).sqrt()  # any positive scales keep the float output
    made = student.apply_smoothquant(norm, linears, scales)
    check_smoother(student, x, before, [(weight, None) for weight in weights], made)


@pytest.mark.task("4.6", item="extremes")
def test_smoothquant_zero_channels(student):
    """A channel that is zero, in the activations or in the weight, gets the scale 1: never 0, NaN or infinity."""
    weight = torch.tensor([[0.5, 0.0, 2.0, 0.0], [-0.25, 0.0, 1.0, 0.0]])
    found = student.smoothquant_scales(torch.tensor([0.0, 9.0, 8.0, 0.0]), weight)
    scales = expect.tensor(found, "scales", dtype=torch.float32, shape=(4,))
    expect.close(scales, torch.tensor([1.0, 1.0, 2.0, 1.0]), "the result")


@pytest.mark.task("4.6", item="state")
def test_smoothquant_leaves_the_originals(student, rng):
    """The norm and the linear layers that were handed in stay what they were: what comes back are copies."""
    _, gain = with_hot_channels(16, rng)
    norm, linear = student.remote.layer_norm(gain, gain / 10), student.remote.linear(torch.randn(8, 16, generator=rng))
    before = [student.remote.condition(part) for part in (norm, linear)]
    student.apply_smoothquant(norm, [linear], 1 + torch.rand(16, generator=rng))
    for part, was in zip((norm, linear), before, strict=True):
        expect.that(student.remote.condition(part) == was, "a layer that was handed in is changed: work on a copy")
    expect.inputs_unchanged(student)


@pytest.mark.task("4.6", item="inputs")
def test_smoothquant_in_half_precision(student):
    """From float16, too, scales are float32: √16 / √4 and √1 / √0.25, by exact numbers."""
    weight = torch.tensor([[1.0, 0.25], [-4.0, 0.0], [2.0, -0.125]]).half()
    found = student.smoothquant_scales(torch.tensor([16.0, 3.0]).half(), weight)
    scales = expect.tensor(found, "scales", dtype=torch.float32, shape=(2,))
    expect.close(scales, torch.tensor([2.0, 2 * math.sqrt(3)]), "the result")


@pytest.mark.task("4.6", item="inputs")
def test_smoothquant_where_the_data_lives(student, rng, device):
    """Scales are computed, and live, where activations and weight live, without a step for each element."""
    peaks, weight = 1 + torch.rand(16, generator=rng), torch.randn(128, 16, generator=rng)
    on = weight.to(device)
    scales = expect.device_call(student.smoothquant_scales, peaks.to(device), on)
    expect.on_device(student, on, scales=scales)
    want = (peaks / weight.abs().amax(dim=0)).sqrt()
    expect.close(expect.tensor(scales, "scales", shape=(16,)), want, "the result")


# ------------------------------------------------------------------ 4.7 ONNX Runtime

SATURATES = 32767  # where a sum of two products ends on CPUs without VNNI
SMALL_BERT = {
    "vocab_size": 96,
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "num_labels": 4,
}


def small_bert(rng):
    """An untrained one-layer BERT, as plain data and as a model here."""
    from autograder.runtime import kit  # noqa: PLC0415

    built = kit.model("BertForSequenceClassification", SMALL_BERT)
    state = {name: 0.2 * torch.randn(value.shape, generator=rng) for name, value in built.named_parameters()}
    described = {"class_name": "BertForSequenceClassification", "config": SMALL_BERT, "state": state}
    return described, kit.model(**described)


def methods_token_batches(sizes, rng, vocabulary=96, length=16):
    """Batches of random tokens, padded at the end of every other row."""
    made = []
    for size in sizes:
        mask = torch.ones(size, length, dtype=torch.long)
        mask[1::2, length - 5 :] = 0
        tokens = torch.randint(vocabulary, (size, length), generator=rng)
        made.append({"input_ids": tokens, "attention_mask": mask})
    return made


def float_logits(model, batches):
    """What the float model answers."""
    with torch.no_grad():
        return [model(**batch).logits for batch in batches]


def run_artifact(student, files, batches):
    """(logits of each batch, summary) of an ONNX file that stands alone, in a process without the submission."""
    names = [name for name in files if name.endswith(".onnx")]
    expect.that(len(names) == 1, "expected exactly one .onnx file in the folder that was asked for")
    evaluator = student.evaluator()
    path = f"{evaluator.remote.put(files)}/{names[0]}"
    try:
        return evaluator.remote.onnx_logits(path, batches), evaluator.remote.onnx_summary(path)
    except Exception as error:
        raise expect.MismatchError(why_it_fails(evaluator, path, batches), str(error)[:300]) from error


def why_it_fails(evaluator, path, batches):
    """What is wrong with a file that does not run, as far as its inputs tell."""
    try:
        inputs = evaluator.remote.onnx_summary(path)["inputs"]
    except Exception:  # whatever it is that was written
        return "ONNX Runtime cannot run the file alone, in a process without the one that wrote it"
    if set(inputs) - set(batches[0]):
        return "the file's inputs are not named as the keys of the sample are"
    if any(type(shape[0]) is int and shape[0] for shape in inputs.values() if shape):
        return "the first dimension of an input has a fixed size; the batch may be of any size"
    return "ONNX Runtime cannot run the file on a batch of another size, or without the process that wrote it"


def check_export(student, described, model, batches):
    """The student's export of a model runs alone, on batches of other sizes, and answers as the model does."""
    folder = student.remote.folder()
    student.allow("onnxruntime")  # torch's newer exporter folds constants with onnx's own operators
    student.export_onnx(student.remote.model(**described), f"{folder}/model.onnx", batches[0])
    found, summary = run_artifact(student, student.remote.files(folder), batches)
    for output, want in zip(found, float_logits(model, batches), strict=True):
        got = expect.tensor(output, "the first output", shape=want.shape)
        expect.close(got, want, "the logits of the exported model", rtol=1e-3, atol=1e-4)
    return summary


def check_static(summary, linear_elements):
    """Weights are stored as integers, and what meets them is quantized with stored scales."""
    operators, weights = summary["operators"], summary["integer_weights"]
    dynamic = operators.keys() & {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
    expect.that(not dynamic, "activations are quantized dynamically: static quantization stores their scales")
    words = "the file has no QuantizeLinear/DequantizeLinear pairs: the format that is asked for is QDQ"
    expect.that(operators.get("QuantizeLinear", 0) > 0 and operators.get("DequantizeLinear", 0) > 0, words)
    computing = [weight for weight in weights if weight["operator"] != "Gather"]
    stored = sum(weight["elements"] for weight in computing)
    expect.that(
        stored >= 0.9 * linear_elements, "weights of linear layers are not stored as integers behind DequantizeLinear"
    )
    static = sum(weight["elements"] for weight in computing if weight["static"])
    expect.that(static >= 0.9 * linear_elements, "the inputs of linear layers are not quantized: only the weights are")


def check_no_saturation(summary):
    """No two neighbouring products of an int8 weight and any uint8 activation can leave 16 bits."""
    for weight in summary["integer_weights"]:
        if weight["dtype"] == "int8" and weight["operator"] != "Gather":
            words = "on a CPU without VNNI, two products can add up to more than 16 bits hold: int8 weights need 7 bits"
            expect.that(weight["pair_peak"] <= SATURATES, words, f"up to {weight['pair_peak']}, at most {SATURATES}")


def judge(found, want):
    """(KL from the float model's predictions in nats, share of rows with the same first choice)."""
    found = [expect.tensor(got, "the first output", shape=row.shape) for got, row in zip(found, want, strict=True)]
    log_q, log_p = (torch.cat(rows).double().log_softmax(dim=-1) for rows in (found, want))
    agreement = (log_q.argmax(dim=-1) == log_p.argmax(dim=-1)).double().mean()
    return float((log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()), float(agreement)


def linear_elements(model):
    """How many weights the linear layers hold."""
    return sum(part.weight.numel() for part in model.modules() if isinstance(part, nn.Linear))


def float_perceptron(sizes, rng):
    """An ONNX file as bytes: "x" [batch, sizes[0]] through MatMul, Add and Relu for each pair of sizes."""
    import onnx  # noqa: PLC0415
    from onnx import helper, numpy_helper  # noqa: PLC0415

    nodes, stored, name = [], [], "x"
    for at, (rows, columns) in enumerate(pairwise(sizes)):
        weight = torch.randn(rows, columns, generator=rng) / math.sqrt(rows)
        bias = 0.1 * torch.randn(columns, generator=rng)
        stored += [numpy_helper.from_array(weight.numpy(), f"w{at}"), numpy_helper.from_array(bias.numpy(), f"b{at}")]
        nodes += [helper.make_node("MatMul", [name, f"w{at}"], [f"m{at}"], name=f"matmul{at}")]
        nodes += [helper.make_node("Add", [f"m{at}", f"b{at}"], [f"a{at}"], name=f"add{at}")]
        nodes += [helper.make_node("Relu", [f"a{at}"], [f"r{at}"], name=f"relu{at}")]
        name = f"r{at}"
    ends = ("x", sizes[0]), (name, sizes[-1])
    values = [helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, ["batch", size]) for end, size in ends]
    graph = helper.make_graph(nodes, "perceptron", values[:1], values[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return torch.frombuffer(bytearray(model.SerializeToString()), dtype=torch.uint8)


def quantized(student, files, batches):
    """(the float file's size, the files that `quantize_onnx` wrote) for a float model.onnx among `files`."""
    source, target = student.remote.put(files), student.remote.folder()
    student.allow("onnxruntime")
    student.quantize_onnx(f"{source}/model.onnx", f"{target}/model.onnx", batches)
    return sum(content.numel() for content in files.values()), student.remote.files(target)


def check_smaller(size, files):
    """At least 3.3 times smaller, all files counted."""
    ratio = size / sum(content.numel() for content in files.values())
    words = (
        "the quantized model is not small enough: look for its largest float tensors; they stay beside the "
        "integers, or where "
        "the graph computes a weight, as after an export in training mode or without constant folding"
    )
    expect.that(ratio >= 3.3, words, f"{ratio:.2f} times smaller, expected at least 3.3")


@pytest.mark.task("4.7", item="values")
def test_onnx_export_runs_on_other_batch_sizes(student, rng):
    """The exported file answers as the model does, for a batch of 2 as it was shown and for batches of 1 and 5."""
    described, model = small_bert(rng)
    check_export(student, described, model, methods_token_batches((2, 1, 5), rng))


@pytest.mark.task("4.7", item="values")
def test_onnx_quantizes_the_course_model(student, rng):
    """Export and quantize tiny-bert: 3.3 times smaller, the same first choice for 95 % of the rows, KL below 0.004."""
    model, rows = models.load_model("tiny-bert"), models.load_batches("tiny-bert", "calibration")
    shown = models.batches(rows, 4, 8, rng)
    asked = models.batches(models.load_batches("tiny-bert", "evaluation"), 4, 16, rng)
    folder = student.remote.folder()
    student.allow("onnxruntime")
    student.export_onnx(student.remote.model(**models.spec(model)), f"{folder}/model.onnx", shown[0])
    size, files = quantized(student, student.remote.files(folder), shown)
    check_smaller(size, files)
    found, summary = run_artifact(student, files, asked)
    check_static(summary, linear_elements(model))
    kl, agreement = judge(found, float_logits(model, asked))
    words = "the quantized model answers differently from the float model: which operators were quantized?"
    expect.that(kl <= 4e-3 and agreement >= 0.95, words, f"KL {kl:.2g} nats, agreement {agreement:.1%}")


@pytest.mark.task("4.7", item="artifact")
def test_onnx_no_saturation(student, rng):
    """u8 × s8 products are added in pairs in 16 bits on many CPUs: no pair of stored weights may ever leave them."""
    content = float_perceptron((96, 128, 32), rng)
    shown = [{"x": torch.randn(16, 96, generator=rng)} for _ in range(3)]
    _, files = quantized(student, {"model.onnx": content}, shown)
    _, summary = run_artifact(student, files, shown[:1])
    check_static(summary, 96 * 128 + 128 * 32)
    check_no_saturation(summary)


@pytest.mark.task("4.7", item="state")
def test_onnx_leaves_the_model(student, rng):
    """The model that is exported stays as it was: weights, hooks, its mode, whichever it is; the batch too."""
    described, _ = small_bert(rng)
    model, batches = student.remote.model(**described), methods_token_batches((2,), rng)
    student.allow("onnxruntime")
    for training in (True, False):
        student.remote.set_training(model, training)
        before = student.remote.condition(model)
        student.export_onnx(model, f"{student.remote.folder()}/model.onnx", batches[0])
        expect.inputs_unchanged(student)
        after = student.remote.condition(model)
        changed = [name for name in before if before[name] != after[name]]
        expect.that(not changed, f"the model is not as it was: {', '.join(changed)}")


# ------------------------------------------------------------------ 4.8 GPTQ (bonus)


def correlated_inputs(rows, width, rng):
    """Inputs [rows, width] whose channels move together: width / 4 hidden causes and some noise."""
    mix = torch.randn(width // 4, width, generator=rng) / math.sqrt(width // 4)
    return torch.randn(rows, width // 4, generator=rng) @ mix + 0.3 * torch.randn(rows, width, generator=rng)


def nearest_groups(weight, bits, group_size):
    """The weight rounded to the nearest levels of each group, restored."""
    groups = weight.reshape(len(weight), -1, group_size)
    return on_levels(groups, groups.abs().amax(dim=-1, keepdim=True), bits).reshape(weight.shape)


def restored_groups(found, weight, bits, group_size):
    """(q, scale) of a group-quantized weight, checked and restored."""
    q, scale = expect.results(found, "q", "scale")
    q = expect.tensor(q, "q", dtype=torch.int8, shape=weight.shape)
    shape = (len(weight), weight.shape[1] // group_size)
    scale = expect.tensor(scale, "scale", dtype=torch.float32, shape=shape)
    lo, hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    expect.that(bool(((q >= lo) & (q <= hi)).all()), f"q goes beyond {lo}…{hi}, the levels there are")
    expect.that(bool(torch.isfinite(scale).all()), "scale holds NaN or infinity")
    return q.double() * scale.double().repeat_interleave(group_size, dim=1)


def output_error(restored, weight, inputs):
    """How far the layer's output moves when its weight is replaced."""
    return float(((restored.double() - weight.double()) @ inputs.double().T).norm())


def check_gptq(found, weight, bits, group_size, *inputs):
    """The layer's output error on each set of inputs is at most 0.95 times that of rounding to nearest."""
    restored = restored_groups(found, weight, bits, group_size)
    for x in inputs:
        base = output_error(nearest_groups(weight, bits, group_size), weight, x)
        ratio = output_error(restored, weight, x) / base
        words = "the layer's output error is not clearly below that of rounding to nearest"
        expect.that(ratio <= 0.95, words, f"{ratio:.3f} times that error, expected at most 0.95")


@pytest.mark.task("4.8", item="values")
def test_gptq_beats_rounding(student, rng):
    """On inputs whose channels move together, later columns make up for the rounding of earlier ones."""
    weight, x = 0.05 * torch.randn(48, 128, generator=rng), correlated_inputs(384, 128, rng)
    check_gptq(student.gptq_quantize(weight, x), weight, 4, 128, x)


@pytest.mark.task("4.8", item="values")
def test_gptq_beyond_the_group(student, rng):
    """Two groups of 16 columns, the second nearly a copy of the first: errors are passed on beyond the group."""
    weight, first = 0.05 * torch.randn(64, 32, generator=rng), torch.randn(256, 16, generator=rng)
    x = torch.cat((first, first + 0.25 * torch.randn(256, 16, generator=rng)), dim=1)
    check_gptq(student.gptq_quantize(weight, x, bits=4, group_size=16), weight, 4, 16, x)


@pytest.mark.task("4.8", item="values")
def test_gptq_three_and_six_bits(student, rng):
    """Three bits have the levels −4 to 3, six have −32 to 31: the levels follow `bits`."""
    weight, x = 0.05 * torch.randn(24, 64, generator=rng), correlated_inputs(256, 64, rng)
    for bits in (3, 6):
        check_gptq(student.gptq_quantize(weight, x, bits=bits, group_size=32), weight, bits, 32, x)


@pytest.mark.task("4.8", item="extremes")
def test_gptq_silent_channel(student, rng):
    """A channel that is always 0 has no curvature: the result is finite, and as good as before elsewhere."""
    weight, x = 0.05 * torch.randn(32, 64, generator=rng), correlated_inputs(256, 64, rng)
    x[:, 5] = 0
    check_gptq(student.gptq_quantize(weight, x, bits=4, group_size=32), weight, 4, 32, x)


@pytest.mark.task("4.8", item="extremes")
def test_gptq_zero_row(student, rng):
    """Row 1 of the weight is all zero: its scales are finite, and it comes back as zeros."""
    weight, x = 0.05 * torch.randn(20, 48, generator=rng), correlated_inputs(192, 48, rng)
    weight[1] = 0
    found = student.gptq_quantize(weight, x, bits=4, group_size=24)
    check_gptq(found, weight, 4, 24, x)
    worst = float(restored_groups(found, weight, 4, 24)[1].abs().max())
    expect.that(worst == 0, "a row of zeros does not come back as zeros", f"up to {worst:.3g}")


@pytest.mark.task("4.8", item="state")
def test_gptq_leaves_its_inputs(student, rng):
    """Weight and inputs are not modified, although the method changes weights as it goes."""
    weight, x = torch.randn(8, 32, generator=rng), correlated_inputs(48, 32, rng)
    student.gptq_quantize(weight, x, bits=4, group_size=16)
    expect.inputs_unchanged(student)


@pytest.mark.task("4.8", item="inputs")
def test_gptq_where_the_data_lives(student, rng, device):
    """The work is done, and the results live, where weight and inputs live; a loop over columns is fine."""
    weight, x = 0.05 * torch.randn(1024, 64, generator=rng), correlated_inputs(384, 64, rng)
    on = weight.to(device)
    made = expect.device_call(student.gptq_quantize, on, x.to(device), bits=4, group_size=64)
    q, scale = expect.results(made, "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    moved = student.last_call.moved_elements
    expect.that(moved < 64 * 64, "the curvature was moved to the CPU; its inverse and factor exist on devices, too")
    check_gptq(made, weight, 4, 64, x)


# ------------------------------------------------------------------ 4.9 AWQ (bonus)


def awq_ratio(found, weight, inputs, bits, group_size):
    """The output error with these scales over the error of rounding to nearest without any."""
    scales = expect.tensor(found, "scales", shape=(weight.shape[1],)).double()
    usable = bool(((scales > 0) & (scales < math.inf)).all())
    expect.that(usable, "scales are not all finite and positive: the inputs are divided by them")
    want = inputs.double() @ weight.double().T

    def error(scales):
        return float(((inputs / scales) @ nearest_groups(weight * scales, bits, group_size).T - want).norm())

    return error(scales) / error(torch.ones_like(scales))


def with_large_weights(weight, inputs, rng):
    """Both with the same channels 0.3 to 3 times as large: the loud ones set the steps of their groups already."""
    gain = 10 ** (torch.rand(weight.shape[1], generator=rng) - 0.5)
    return weight * gain, inputs * gain


def few_hot(inputs, rng):
    """The inputs with four channels 20 to 80 times as large."""
    inputs = inputs.clone()
    inputs[:, torch.randperm(inputs.shape[1], generator=rng)[:4]] *= torch.tensor([20.0, 35.0, 50.0, 80.0])
    return inputs


@pytest.mark.task("4.9", item="values")
def test_awq_protects_hot_channels(student, rng):
    """Four channels are 20 to 80 times louder: with their weights scaled up, the error falls to 0.7 and less."""
    weight, x = 0.05 * torch.randn(48, 128, generator=rng), few_hot(correlated_inputs(256, 128, rng), rng)
    ratio = awq_ratio(student.awq_search(weight, x), weight, x, 4, 128)
    words = "the error is not clearly below that of rounding to nearest"
    expect.that(ratio <= 0.7, words, f"{ratio:.3f} times that error, expected at most 0.7")


@pytest.mark.task("4.9", item="extremes")
def test_awq_is_never_worse(student, rng):
    """Loud channels whose weights are the largest anyway: scales of 1 are among those to be tried."""
    weight, x = with_large_weights(0.05 * torch.randn(48, 64, generator=rng), torch.randn(256, 64, generator=rng), rng)
    ratio = awq_ratio(student.awq_search(weight, x, bits=4, group_size=32), weight, x, 4, 32)
    expect.that(ratio <= 1.0001, "the error is larger than without any scales", f"{ratio:.4f} times that error")


@pytest.mark.task("4.9", item="state")
def test_awq_leaves_its_inputs(student, rng):
    """Weight and inputs are not modified."""
    weight, x = torch.randn(8, 32, generator=rng), few_hot(torch.randn(48, 32, generator=rng), rng)
    student.awq_search(weight, x, bits=4, group_size=16)
    expect.inputs_unchanged(student)


@pytest.mark.task("4.9", item="inputs")
def test_awq_where_the_data_lives(student, rng, device):
    """The search is done, and the scales live, where weight and inputs live; a step for each candidate is fine."""
    weight, x = 0.05 * torch.randn(2048, 64, generator=rng), few_hot(torch.randn(1024, 64, generator=rng), rng)
    on = weight.to(device)
    scales = expect.device_call(student.awq_search, on, x.to(device), bits=4, group_size=64)
    expect.on_device(student, on, scales=scales)
    ratio = awq_ratio(scales, weight, x, 4, 64)
    expect.that(ratio <= 1.0001, "the error is larger than without any scales", f"{ratio:.4f} times that error")


@pytest.mark.task("4.9", item="extremes")
def test_awq_silent_channel(student, rng):
    """A channel that is always 0 still gets a finite positive scale."""
    weight, x = 0.05 * torch.randn(24, 64, generator=rng), few_hot(torch.randn(96, 64, generator=rng), rng)
    x[:, 3] = 0
    ratio = awq_ratio(student.awq_search(weight, x, bits=4, group_size=32), weight, x, 4, 32)
    expect.that(ratio <= 1.0001, "the error is larger than without any scales", f"{ratio:.4f} times that error")


# ------------------------------------------------------------------ 4.10 Hadamard (bonus)


def w4a4_error(weight, inputs, want):
    """How far inputs @ weight.T lies from `want` with each row of both in 4 bits."""
    rounded = [on_levels(rows, rows.abs().amax(dim=1, keepdim=True), 4) for rows in (weight, inputs)]
    return float((rounded[1] @ rounded[0].T - want.double()).norm())


def spiky(rows, width, factors, rng):
    """Gaussian inputs with a few channels as many times as large as `factors` say."""
    x = torch.randn(rows, width, generator=rng)
    x[:, torch.randperm(width, generator=rng)[: len(factors)]] *= torch.tensor(factors)
    return x


def check_rotated(found, weight, inputs):
    """Weight and inputs, rotated by the same orthogonal matrix: lengths and products are kept."""
    turned = expect.results(found, "weight", "inputs")
    pairs = zip(turned, (weight, inputs), ("the weight", "the inputs"), strict=True)
    turned = [expect.tensor(value, name, shape=was.shape) for value, was, name in pairs]
    near_float(turned[1] @ turned[0].T, inputs @ weight.T, "the output of the layer")
    for value, was, name in zip(turned, (weight, inputs), ("the weight", "the inputs"), strict=True):
        kept = bool(((value.norm(dim=1) / was.norm(dim=1) - 1).abs() <= 1e-4).all())
        expect.that(kept, f"{name}: rows have another length than before, so the rotation is not orthogonal")
    return turned


def check_spread(turned, weight, inputs):
    """The W4A4 error fell to 0.6 and less."""
    want = inputs @ weight.T
    ratio = w4a4_error(*turned, want) / w4a4_error(weight, inputs, want)
    words = "the rotation does not spread the large channels enough: every entry of it should be ±1/√in"
    expect.that(ratio <= 0.6, words, f"{ratio:.3f} times the error without rotation, expected at most 0.6")


@pytest.mark.task("4.10", item="values")
def test_hadamard_spreads_the_outliers(student, rng):
    """Three channels 8, 12 and 18 times as large: after the rotation W4A4 has at most 0.6 times the error."""
    weight, x = 0.05 * torch.randn(64, 256, generator=rng), spiky(192, 256, (8.0, 12.0, 18.0), rng)
    turned = check_rotated(student.hadamard_rotate(weight, x), weight, x)
    check_spread(turned, weight, x)


@pytest.mark.task("4.10", item="errors")
def test_hadamard_refuses_other_widths(student, rng):
    """48 and 96 are no powers of two: a ValueError."""
    for width in (48, 96):
        weight, x = torch.randn(4, width, generator=rng), torch.randn(3, width, generator=rng)
        call = partial(student.hadamard_rotate, weight, x)
        expect.raises(ValueError, call, because=f"the input width was {width}")


@pytest.mark.task("4.10", item="state")
def test_hadamard_leaves_its_inputs(student, rng):
    """Weight and inputs are not modified."""
    student.hadamard_rotate(torch.randn(6, 8, generator=rng), torch.randn(3, 8, generator=rng))
    expect.inputs_unchanged(student)


@pytest.mark.task("4.10", item="inputs")
def test_hadamard_where_the_data_lives(student, rng, device):
    """The rotation is made, and its results live, where weight and inputs live."""
    weight, x = torch.randn(32, 32, generator=rng), torch.randn(32, 32, generator=rng)
    on = weight.to(device)
    found = expect.results(expect.device_call(student.hadamard_rotate, on, x.to(device)), "weight", "inputs")
    expect.on_device(student, on, weight=found[0], inputs=found[1])
    check_rotated(found, weight, x)
