"""Hidden tests of exercise 04: other data, other models, other budgets, and the edges.

Docstrings are what a student reads of a hidden test, so they carry no values.
"""

import contextlib
import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autograder.lab import models
from autograder.runtime.kit.modules import logits as logits_of
from autograder.runtime.kit.modules import model as build
from autograder.testing import expect

NOT_BITS = (0, 1, 9, 16, -8, 2.5)


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


def split(x, rng, parts=7):
    """x in that many batches of uneven sizes, none of them empty."""
    cuts = torch.randperm(len(x) - 1, generator=rng)[: parts - 1].sort().values + 1
    return list(x.tensor_split(cuts))


def student_t(count, rng):
    """Student-t with 3 degrees of freedom: ordinary values, and some far ones."""
    chi = torch.randn(3, count, generator=rng).square().sum(dim=0)
    return torch.randn(count, generator=rng) / (chi / 3).sqrt()


def with_outlier(count, rng):
    """Normal data and a single value at 100 standard deviations."""
    return torch.cat([torch.randn(count - 1, generator=rng), torch.tensor([-100.0])])


def unusable(rng):
    """(what is wrong, data): no calibrator can use any of these."""
    for what, value in (("NaN", math.nan), ("+inf", math.inf), ("−inf", -math.inf)):
        x = torch.rand(3, 4, generator=rng)
        x[2, 3] = value
        yield f"the data held {what}", x
    yield "the data was empty", torch.zeros(0, 4)


def refuses_bits(make, x):
    """Bits outside 2…8, or not whole, are refused at the latest on first use."""

    def use(bits):
        calibrator = make(bits=bits)
        calibrator.observe(x)
        calibrator.quantization_parameters()

    for bits in NOT_BITS:
        expect.raises(ValueError, partial(use, bits), because=f"bits was {bits}")


CONDITION = {
    "training": "training (it, or a part of it, is in another mode)",
    "hooks": "hooks (left behind, or those of others removed)",
    "requires_grad": "requires_grad (of some parameter; a new nn.Parameter asks for gradients)",
}


def unchanged(student, model, before):
    """The model is in the condition that it had."""
    after = student.remote.condition(model)
    changed = [CONDITION.get(name, name) for name in before if before[name] != after[name]]
    expect.that(not changed, f"the model is not as it was: {', '.join(changed)}")


# ------------------------------------------------------------------ 4.1 PercentileCalibrator


def quantiles(x, *percents):
    """Percentiles of the whole of x, in float64."""
    shares = torch.tensor([min(max(percent, 0.0), 100.0) / 100 for percent in percents], dtype=torch.float64)
    return torch.quantile(x.double(), shares).tolist()


def check_symmetric_percentile(found, x, percentile, bits=8, band=0.05):
    """The threshold lies between the percentiles a band below and above; the zero point is 0."""
    scale, zero_point = found
    magnitude = x.float().abs()
    threshold = float(scale) * (2 ** (bits - 1) - 1)
    low, high = quantiles(magnitude, percentile - band, percentile + band)
    values = f"{threshold:.6g}, expected {0.99 * low:.6g} to {1.01 * high:.6g}"
    if not 0.99 * low <= threshold <= 1.01 * high:
        (signed,), (half,) = quantiles(x.float(), percentile), quantiles(magnitude, 50 + percentile / 2)
        for other, words in (
            (float(magnitude.max()), "the threshold is the largest |x|, as of min-max"),
            (signed, "the threshold is the percentile of x, not of |x|"),
            (half, "the threshold leaves out half of the rest; symmetric cuts all of it off"),
        ):
            expect.that(abs(threshold / other - 1) > 2e-3, words, values)
        too = "large" if threshold > low else "small"
        expect.that(False, f"the threshold is too {too} for this percentile", values)
    expect.that(zero_point == 0, "a symmetric zero point is not 0")


def check_asymmetric_percentile(found, x, percentile, bits=8, band=0.05):
    """The width of the range lies between those a band below and above, and 0 lies where it must."""
    scale, zero_point = found
    steps, rest, quarter = 2**bits - 1, (100 - percentile) / 2, band / 2
    cuts = (rest + quarter, 100 - rest - quarter, rest - quarter, 100 - rest + quarter, 2 * rest, 100 - 2 * rest)
    low, high, lower, higher, inner_low, inner_high = quantiles(x.float(), *cuts)
    width, narrow, wide = float(scale) * steps, wider(low, high), wider(lower, higher)
    least, most = 0.99 * (narrow[1] - narrow[0]), 1.01 * (wide[1] - wide[0])
    values = f"{width:.6g}, expected {least:.6g} to {most:.6g}"
    inner = wider(inner_low, inner_high)
    whole = width < least and abs(width / (inner[1] - inner[0]) - 1) < 2e-3
    expect.that(not whole, "the whole rest is cut off on either side; cut half of it off on either", values)
    expect.that(width <= most, "the range is too wide for this percentile", values)
    expect.that(width >= least, "the range is too narrow for this percentile", values)
    slack, at = 0.01 * width + 0.5001 * float(scale), zero_point * float(scale)
    values = f"{zero_point}: {at:.6g}, {-narrow[0] - slack:.6g} to {-wide[0] + slack:.6g}"
    expect.that(0 <= zero_point <= steps, "zero point lies outside the levels", values)
    holds = -narrow[0] - slack <= at <= -wide[0] + slack
    expect.that(holds, "zero point is not the level on which 0 lies", values)


def wider(lo, hi):
    """A range, widened to contain 0."""
    return min(lo, 0.0), max(hi, 0.0)


@pytest.mark.task("4.1", item="values")
def test_percentile_random(student, rng):
    """Any percentile and number of bits, on ordinary and on long-tailed data, in uneven batches."""
    for percentile, bits, x in (
        (99.0, 8, 2.7 * torch.randn(110_000, generator=rng) - 1.9),
        (99.9, 4, student_t(110_000, rng)),
        (99.99, 6, student_t(110_000, rng) * 0.02),
        (95.0, 8, torch.relu(torch.randn(110_000, generator=rng))),
    ):
        calibrator = student.PercentileCalibrator(bits=bits, percentile=percentile)
        check_symmetric_percentile(observed(calibrator, split(x, rng)), x, percentile, bits)


@pytest.mark.task("4.1", item="values")
def test_percentile_of_sorted_streams(student, rng):
    """The order in which values come does not matter, not even when they come sorted."""
    x = student_t(110_000, rng) + 0.4
    for order in (x.abs().argsort(), x.abs().argsort(descending=True), x.argsort()):
        found = observed(student.PercentileCalibrator(), split(x[order], rng, parts=9))
        check_symmetric_percentile(found, x, 99.9)
        found = observed(student.PercentileCalibrator(symmetric=False, percentile=99.5), split(x[order], rng, parts=9))
        check_asymmetric_percentile(found, x, 99.5)


@pytest.mark.task("4.1", item="values")
def test_percentile_asymmetric_random(student, rng):
    """Half of the rest is cut off on either side; the range contains 0, also of data on one side of it."""
    skewed = student_t(110_000, rng).abs() * 3 - 1.1
    above, below = 4 + torch.rand(110_000, generator=rng) * 5, -torch.randn(110_000, generator=rng).square() - 2
    for percentile, bits, x in ((99.0, 8, skewed), (99.9, 5, skewed), (98.0, 8, above), (99.9, 8, below)):
        calibrator = student.PercentileCalibrator(bits=bits, symmetric=False, percentile=percentile)
        check_asymmetric_percentile(observed(calibrator, split(x, rng)), x, percentile, bits)


@pytest.mark.task("4.1", item="values")
def test_percentile_after_an_odd_start(student, rng):
    """A first batch of zeros, or far smaller or far larger than the rest, spoils nothing."""
    rest = torch.randn(110_000, generator=rng)
    for first in (torch.zeros(300), rest[:300] * 1e-4, rest[:30] * 200.0):
        batches = [first, *split(rest, rng, parts=4)]
        check_symmetric_percentile(observed(student.PercentileCalibrator(), batches), torch.cat(batches), 99.9)


@pytest.mark.task("4.1", item="values")
def test_percentile_needs_little_memory(student, rng):
    """However much is observed, more than torch.quantile takes, the memory stays bounded."""
    x = student_t(1 << 20, rng)
    calibrator = student.PercentileCalibrator()
    for number in range(25):  # 105 MB, more than 2^24 values
        with student.measuring() if number == 4 else contextlib.nullcontext():  # what is made once is made
            calibrator.observe(x)
        if number == 4:
            start = student.last_call.start_mb or 0.0
    with student.measuring():
        scale, _ = expect.results(calibrator.quantization_parameters(), "scale", "zero_point")
    check_symmetric_percentile((one_scale(scale), 0), x, 99.9)
    kept = (student.last_call.start_mb or 0.0) - start
    expect.that(kept <= 48, "the memory grows with the data: keep a summary, not the values", f"{kept:.0f} MB")
    growth = student.last_call.peak_growth_mb or 0.0
    expect.that(growth <= 24, "the memory grows with the data: keep a summary, not the values", f"{growth:.0f} MB")


@pytest.mark.task("4.1", item="values")
def test_percentile_beside_a_far_outlier(student, rng):
    """One value a hundred times farther out than the rest does not make the threshold coarse."""
    x = with_outlier(110_000, rng)
    for batches in (split(x, rng), [x[-1:], x[:-1]]):
        check_symmetric_percentile(observed(student.PercentileCalibrator(), batches), x, 99.9)
        found = observed(student.PercentileCalibrator(symmetric=False, percentile=99.0), batches)
        check_asymmetric_percentile(found, x, 99.0)


@pytest.mark.task("4.1", item="inputs")
def test_percentile_in_half_precision(student, rng):
    """float16 and bfloat16 data, of any shape, is counted as finely as any other."""
    for dtype in (torch.float16, torch.bfloat16):
        x = (torch.randn(110_000, generator=rng) * 700).to(dtype)
        batches = [x[:60_000].reshape(30, 20, 100), x[60_000:].reshape(-1, 50)]
        scale, zero_point = observed(student.PercentileCalibrator(percentile=99.5), batches)
        check_symmetric_percentile((scale, zero_point), x, 99.5)


@pytest.mark.task("4.1", item="values")
def test_percentile_goes_on(student, rng):
    """Asking for the parameters ends nothing: what is observed later counts, and a second calibrator is its own."""
    x = torch.randn(220_000, generator=rng)
    calibrator, other = student.PercentileCalibrator(), student.PercentileCalibrator()
    check_symmetric_percentile(observed(calibrator, [x[:110_000]]), x[:110_000], 99.9)
    check_symmetric_percentile(observed(other, [x[:110_000] * 9]), x[:110_000] * 9, 99.9)
    both = torch.cat([x[:110_000], 3 * x[110_000:]])
    check_symmetric_percentile(observed(calibrator, [3 * x[110_000:]]), both, 99.9)


@pytest.mark.task("4.1", item="extremes")
def test_percentile_of_zeros_asymmetric(student):
    """All-zero data gets a usable scale, asymmetric too."""
    scale, _ = observed(student.PercentileCalibrator(symmetric=False), [torch.zeros(7)])
    expect.usable_scale(scale)


@pytest.mark.task("4.1", item="extremes")
def test_percentile_of_equal_values(student, rng):
    """Where every value is the same, so is every percentile; an asymmetric range still contains 0."""
    for value in (uniform(rng, 0.5, 9.0), uniform(rng, -9.0, -0.5)):
        x = torch.full((110_000,), value)
        check_symmetric_percentile(observed(student.PercentileCalibrator(), split(x, rng)), x, 99.9)
        found = observed(student.PercentileCalibrator(symmetric=False), split(x, rng))
        check_asymmetric_percentile(found, x, 99.9)


@pytest.mark.task("4.1", item="inputs")
def test_percentile_of_views(student, rng):
    """Transposed, sliced and expanded tensors count as others do."""
    for what, view in expect.layouts(student_t(120_000, rng).reshape(60, 50, 40)):
        for symmetric, check in ((True, check_symmetric_percentile), (False, check_asymmetric_percentile)):
            calibrator = student.PercentileCalibrator(symmetric=symmetric)
            expect.layout_call(calibrator.observe, view, what=what)
            calibrator.observe(student_t(10, rng))
            check(observed(calibrator, ()), view.flatten(), 99.9, band=0.06)


@pytest.mark.task("4.1", item="errors")
def test_percentile_refuses_unusable_data(student, rng):
    """NaN, either infinity, or no data at all is a ValueError; so is a number of bits that does not exist."""
    for because, x in unusable(rng):
        call = partial(student.PercentileCalibrator().observe, x)
        expect.raises(ValueError, call, because=because, named=True)
    refuses_bits(student.PercentileCalibrator, torch.tensor([1.0, -2.0]))


@pytest.mark.task("4.1", item="state")
def test_percentile_leaves_its_input(student, rng):
    """What is observed is not modified."""
    for symmetric in (True, False):
        student.PercentileCalibrator(symmetric=symmetric).observe(torch.randn(40, generator=rng))
        expect.inputs_unchanged(student)


@pytest.mark.task("4.1", item="inputs")
def test_percentile_on_device(student, rng, device):
    """The work is done, and the scale lives, where the data lives, without a step for each element."""
    x = torch.randn(110_000, generator=rng)
    on = x.to(device)
    calibrator = student.PercentileCalibrator()
    expect.device_call(calibrator.observe, on)
    expect.on_device(student, on)
    found = expect.device_call(calibrator.quantization_parameters)
    scale, zero_point = expect.results(found, "scale", "zero_point")
    expect.on_device(student, on, scale=scale)
    check_symmetric_percentile((one_scale(scale), expect.integer(zero_point, "zero point")), x, 99.9)


# ------------------------------------------------------------------ 4.2 KL divergence

BINS = 2048


def divergence(hist, i, levels):
    """The contract's KL of a candidate, step by step, in NumPy's float64."""
    counts = np.array(hist, dtype=np.float64)
    counts[0] = counts[1]
    inside, beyond = counts[:i], counts[i:].sum()
    p = np.append(inside[:-1], inside[-1] + beyond)
    filled = p > 0
    first = -(-np.arange(levels) * i // levels)  # the first bin of each group: j·levels/i reaches the group there
    size = np.diff(np.append(first, i))
    share = np.add.reduceat(inside, first) / np.maximum(np.add.reduceat(filled.astype(np.float64), first), 1)
    q = np.where(filled, np.repeat(share, size), 0.0)
    if q.sum() == 0:
        return math.inf
    p, q = p[filled] / p.sum(), np.maximum(q[filled] / q.sum(), 1e-12)
    return float((p * np.log(p / q)).sum())


def histogram(x, bins=BINS):
    """Counts of |x| in equal bins up to the largest."""
    magnitude = x.double().abs()
    return torch.histc(magnitude, bins, 0.0, float(magnitude.max())).numpy()


def check_histogram(found, batches, bins):
    """(hist, edges): values within a thousandth of a bin of an edge may fall on either side of it."""
    hist, edges = expect.results(found, "hist", "edges")
    hist, edges = expect.tensor(hist, "hist", shape=(bins,)), expect.tensor(edges, "edges", shape=(bins + 1,))
    x = torch.cat([batch.flatten().double() for batch in batches])
    top = float(x.abs().max())
    known = {
        "end at max(x), not at the largest |x|": torch.linspace(0, float(x.max()), bins + 1),
        "end at the largest |x| of the last batch": torch.linspace(0, float(batches[-1].abs().max()), bins + 1),
        "end at the largest |x| of the first batch": torch.linspace(0, float(batches[0].abs().max()), bins + 1),
    }
    expect.close(edges, torch.linspace(0, top, bins + 1), "edges", atol=1e-5 * top, lookalikes=known)
    expect.that(float(hist.double().sum()) == len(x), "hist does not count every value once", f"{float(hist.sum())}")
    place, inner = x.abs() / top * bins, torch.arange(1, bins, dtype=torch.float64)
    ordered, below = place.sort().values, hist.double().cumsum(0)[:-1]
    least = torch.searchsorted(ordered, inner - 1e-3)
    most = torch.searchsorted(ordered, inner + 1e-3, right=True)
    wrong = ~((least <= below) & (below <= most))
    expect.that(not bool(wrong.any()), "hist holds counts of other bins than those between the edges")


@pytest.mark.task("4.2", item="values")
def test_histogram_random(student, rng):
    """Counts of |x| between edges that reach from 0 to the largest |x| of all batches, wherever it comes."""
    small, large = torch.randn(40, 50, generator=rng), 5 * torch.randn(3000, generator=rng) - 4
    large[7], small[3, 3] = -31.7, 3.3
    for batches in ([small, large], [large, small], [small, large, small / 7]):
        check_histogram(student.collect_histogram(batches, bins=37), batches, 37)
    check_histogram(student.collect_histogram([small, large]), [small, large], BINS)


def check_kl(student, hist, i, levels):
    """kl_at for one candidate."""
    found = expect.number(student.kl_at(hist, i, levels=levels), "kl_at")
    inside = hist.clone()
    inside[i:] = 0
    known = {
        "leaves out what lies beyond i: the counts of hist[i:] are added to P[i − 1]": divergence(inside, i, levels),
        "does not see the bin before the outermost: candidate i keeps the bins 0 to i − 1": (
            divergence(hist, i - 1, levels) if i > levels else math.nan
        ),
    }
    expect.close(found, divergence(hist, i, levels), "kl_at", rtol=1e-3, atol=1e-6, lookalikes=known)


@pytest.mark.task("4.2", item="values")
def test_kl_of_full_histograms(student, rng):
    """Any candidate and any number of levels, groups of equal and of uneven sizes."""
    hist = torch.from_numpy(histogram(student_t(60_000, rng).clamp(-9, 9), 256))
    for levels, i in ((128, 129), (128, 200), (128, 255), (64, 256), (8, 100), (2, 77), (8, 251)):
        check_kl(student, hist, i, levels)
    check_kl(student, torch.from_numpy(histogram(torch.randn(60_000, generator=rng), 1024)), 700, 128)


@pytest.mark.task("4.2", item="values")
def test_kl_of_sparse_histograms(student, rng):
    """Q is spread only over bins in which P is not zero; what the floor catches counts, too."""
    for i, levels in ((90, 16), (128, 16), (57, 8), (50, 32)):
        hist = torch.randint(1, 50, (128,), generator=rng).double()
        hist[torch.randperm(126, generator=rng)[:90] + 2] = 0
        hist[i - 1], hist[-1] = 0, 30
        check_kl(student, hist, i, levels)


@pytest.mark.task("4.2", item="values")
def test_kl_after_relu(student, rng):
    """Half of the values are exactly zero, and they do not dominate."""
    hist = torch.from_numpy(histogram(torch.relu(torch.randn(80_000, generator=rng)), 512))
    for i in (128, 300, 400, 512):
        check_kl(student, hist, i, 128)


@pytest.mark.task("4.2", item="values")
def test_kl_default_levels(student, rng):
    """Without `levels`, 128: those of 8 bits."""
    hist = torch.from_numpy(histogram(student_t(60_000, rng).clamp(-9, 9), 512))
    found = expect.number(student.kl_at(hist, 333), "kl_at")
    expect.close(found, divergence(hist, 333, 128), "kl_at", rtol=1e-3)


def curve(x, levels):
    """The KL of every candidate; those below `levels` are infinite."""
    hist = histogram(x)
    return np.array([divergence(hist, i, levels) if i >= levels else math.inf for i in range(BINS + 1)])


WITHIN = 1.05  # of the best KL
WITHIN_HALF = 1.15  # of float16 data, a histogram that was streamed as finely as can be asked for is up to 1.06 away


def check_kl_threshold(found, x, bits, kls, beside=0, within=WITHIN):
    """The KL at the threshold is at most so many times the best; between two edges, the better one counts.

    So does, where asked for, the best of so many edges beside it.
    """
    scale, zero_point = found
    top, largest = 2 ** (bits - 1) - 1, float(x.float().abs().max())
    place = float(scale) * top / largest * BINS
    expect.that(zero_point == 0, "a symmetric zero point is not 0")
    expect.that(place < BINS + 0.01, "the threshold lies beyond the largest |x|", f"{place / BINS:.4g} of it")
    near = abs(place - round(place)) < 0.01
    candidates = [round(place)] if near else [math.floor(place), math.ceil(place)]
    candidates = range(max(candidates[0] - beside, 0), min(candidates[-1] + beside, BINS) + 1)
    reached, best = min(kls[i] for i in candidates), float(kls.min())
    values = f"KL {reached:.6g}, the best is {best:.6g}; threshold {place / BINS:.4g} of the largest |x|"
    if not reached <= within * best:
        clips = kls[BINS] > within * best and place > BINS - 1
        expect.that(
            not clips, "the threshold is the largest |x|: nothing is clipped, though clipping is better", values
        )
        neighbours = [kls[min(candidates[0] + 1, BINS)], kls[candidates[0] - 1]]
        off = min(neighbours) > within * best
        expect.that(off, "the threshold is one edge beside a good one: candidate i ends at edges[i]", values)
        expect.that(False, f"the KL at the threshold is more than {within} times the best", values)


@pytest.mark.task("4.2", item="values")
def test_kl_calibrator_random(student, rng, once):
    """Its threshold is as good as the best: on long tails, after a ReLU, beside an outlier, and where nothing is to
    be clipped.
    """
    for name, x in (
        ("bounded", torch.tanh(1.5 * torch.randn(100_000, generator=rng))),
        ("tail", student_t(100_000, rng) * 0.3),
        ("relu", torch.relu(torch.randn(100_000, generator=rng))),
        ("outlier", with_outlier(100_000, rng) * 7),
    ):
        batches = split(x, rng)
        kls = once(name, partial(curve, x, 128))
        check_kl_threshold(observed(student.KLCalibrator(), batches), x, 8, kls)


@pytest.mark.task("4.2", item="values")
def test_kl_calibrator_few_bits(student, rng, once):
    """With fewer bits there are fewer levels to merge the bins into: half as many as there are codes."""
    x = student_t(100_000, rng)
    kls = once("2 bits", partial(curve, x, 2))
    check_kl_threshold(observed(student.KLCalibrator(bits=2), split(x, rng)), x, 2, kls)


@pytest.mark.task("4.2", item="extremes")
def test_kl_calibrator_of_equal_values(student):
    """Where all |x| are equal, that is the threshold: clipping anything would clip everything."""
    scale, _ = observed(student.KLCalibrator(), [torch.full((60,), 2.5), torch.full((4, 5), -2.5)])
    expect.close(scale * 127, 2.5, "the threshold", rtol=2e-3)


@pytest.mark.task("4.2", item="extremes")
def test_kl_calibrator_of_zeros(student):
    """All-zero data gets a usable scale: finite and positive."""
    scale, zero_point = observed(student.KLCalibrator(), [torch.zeros(3, 4), torch.zeros(9)])
    expect.usable_scale(scale)
    expect.that(zero_point == 0, "a symmetric zero point is not 0")


@pytest.mark.task("4.2", item="inputs")
def test_kl_calibrator_in_half_precision(student, rng, once):
    """float16 data is counted in float32."""
    x = (student_t(60_000, rng) * 40).to(torch.float16)
    kls = once("half", partial(curve, x.float(), 128))
    # many of float16's few values lie on an edge, and fall to either side of it in a histogram that was streamed
    check_kl_threshold(observed(student.KLCalibrator(), split(x, rng)), x, 8, kls, beside=1, within=WITHIN_HALF)


@pytest.mark.task("4.2", item="inputs")
def test_histogram_of_half_precision(student, rng):
    """Half-precision data is counted in float32."""
    for dtype in (torch.float16, torch.bfloat16):
        batches = [(5 * torch.randn(3000, generator=rng)).to(dtype) for _ in range(2)]
        check_histogram(student.collect_histogram(batches, bins=512), batches, 512)


@pytest.mark.task("4.2", item="errors")
def test_kl_calibrator_refuses_unusable_data(student, rng):
    """NaN, either infinity, or no data at all is a ValueError; so is a number of bits that does not exist."""
    for because, x in unusable(rng):
        expect.raises(ValueError, partial(student.KLCalibrator().observe, x), because=because, named=True)
    refuses_bits(student.KLCalibrator, torch.tensor([1.0, -2.0]))
    call = partial(student.kl_at, torch.ones(100), 100)
    expect.raises(ValueError, call, because="there were fewer bins than levels")


@pytest.mark.task("4.2", item="state")
def test_kl_leaves_its_inputs(student, rng):
    """Neither what is observed nor what is counted is modified."""
    x = torch.randn(500, generator=rng)
    student.KLCalibrator().observe(x)
    expect.inputs_unchanged(student)
    student.collect_histogram([x, 2 * x], bins=64)
    expect.inputs_unchanged(student)
    for hist in (torch.randint(0, 9, (300,), generator=rng).double(), torch.arange(300.0)):
        student.kl_at(hist, 200)
        expect.inputs_unchanged(student)


@pytest.mark.task("4.2", item="extremes")
def test_kl_infinite_beside_zeros(student):
    """Where all that is kept are zeros, nothing is left of Q: infinity."""
    for bins, i, levels in ((300, 150, 128), (64, 10, 8)):
        hist = torch.zeros(bins)
        hist[0], hist[-1] = 900.0, 5.0
        found = expect.number(student.kl_at(hist, i, levels=levels), "kl_at")
        expect.that(found == math.inf, "kl_at is not infinite where Q sums to 0")


@pytest.mark.task("4.2", item="inputs")
def test_histogram_of_views(student, rng):
    """Transposed, sliced and expanded tensors are counted as others are."""
    for what, view in expect.layouts(student_t(2000, rng).reshape(20, 10, 10)):
        batches = [view, 2 * torch.randn(50, generator=rng)]
        found = expect.layout_call(student.collect_histogram, batches, bins=64, what=what)
        check_histogram(found, batches, 64)
        expect.layout_call(student.KLCalibrator().observe, view, what=what)


@pytest.mark.task("4.2", item="inputs")
def test_histogram_on_device(student, rng, device):
    """Values are counted where they live, without a step for each of them."""
    batches = [torch.randn(3000, generator=rng), 2 * torch.randn(3000, generator=rng)]
    on = [batch.to(device) for batch in batches]
    found = expect.device_call(student.collect_histogram, on, bins=64)
    hist, edges = expect.results(found, "hist", "edges")
    expect.on_device(student, on[0], hist=hist, edges=edges)
    check_histogram(found, batches, 64)


# ------------------------------------------------------------------ 4.4 layer_sensitivity

GPT2 = {
    "vocab_size": 48,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 16,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "tie_word_embeddings": True,
}
LLAMA = {
    "vocab_size": 48,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16,
    "tie_word_embeddings": False,
}
BERT = {
    "vocab_size": 48,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "num_labels": 4,
    "is_decoder": True,
    "add_cross_attention": True,
    "tie_word_embeddings": False,
}
TIED_HEAD = "lm_head"


def lively(class_name, config, rng):
    """A model as plain data: random weights, and output channels whose ranges differ widely."""
    template = build(class_name, config)
    linear = quantizable(template)
    state = {}
    for name, value in template.state_dict().items():
        owner = name.rpartition(".")[0]
        if owner in linear and name.endswith("weight"):
            axis = kept_axis(linear[owner])
            shape = [-1 if d == axis else 1 for d in range(2)]
            ranges = torch.exp(0.8 * torch.randn(value.shape[axis], generator=rng)).reshape(shape)
            state[name] = 0.16 * torch.randn(value.shape, generator=rng) * ranges
        elif value.dim() == 2 and owner != TIED_HEAD:
            state[name] = 0.6 * torch.randn(value.shape, generator=rng)
        else:
            state[name] = value
    if config["tie_word_embeddings"]:
        del state["lm_head.weight"]
    return {"class_name": class_name, "config": config, "state": state}


def is_conv1d(layer):
    """Whether it is GPT-2's Conv1D."""
    return type(layer).__name__ == "Conv1D"


def kept_axis(layer):
    """The axis of the output channels."""
    return 1 if is_conv1d(layer) else 0


def quantizable(model):
    """Every Linear and Conv1D by name, but a head that shares its weight with an embedding."""
    embeddings = {part.weight.data_ptr() for part in model.modules() if isinstance(part, torch.nn.Embedding)}
    parts = ((n, p) for n, p in model.named_modules() if isinstance(p, torch.nn.Linear) or is_conv1d(p))
    return {name: part for name, part in parts if part.weight.data_ptr() not in embeddings}


def rounded(weight, bits, axis):
    """The weight restored from symmetric codes, one scale for each index of axis, in float64."""
    wide, top = weight.double(), 2 ** (bits - 1) - 1
    step = wide.abs().amax(dim=1 - axis, keepdim=True) / top
    step[step == 0] = 1.0
    return (wide / step).round().clamp(-top, top) * step


def tokens(rng, rows=4, count=2, width=12, vocabulary=48):
    """Batches of random tokens."""
    drawn = torch.randint(0, vocabulary, (count, rows, width), generator=rng)
    return [{"input_ids": part} for part in drawn]


def mean_kl(original, quantized):
    """KL(original ‖ quantized) of logits, the mean over rows."""
    log_p, log_q = original.double().log_softmax(-1), quantized.double().log_softmax(-1)
    return float((log_p.exp() * (log_p - log_q)).sum(-1).mean())


def measured(spec, batches, bits):
    """{layer: {bits: KL}}, and the same with KL(quantized ‖ original), computed here."""
    model = build(**spec)
    original = torch.cat(logits_of(model, batches))
    forward, backward = {}, {}
    for name, layer in quantizable(model).items():
        kept = layer.weight.detach().clone()
        forward[name], backward[name] = {}, {}
        for b in bits:
            layer.weight.data = rounded(kept, b, kept_axis(layer)).float()
            quantized = torch.cat(logits_of(model, batches))
            forward[name][b], backward[name][b] = mean_kl(original, quantized), mean_kl(quantized, original)
        layer.weight.data = kept
    return forward, backward


def check_sensitivity(found, wanted):
    """The same layers (a tied head is free to be there), the same bits, KL within 2 %."""
    forward, backward = wanted
    expect.that(type(found) is dict, "returned no dict; expected {layer: {bits: KL}}")
    outward = bool(found) and all(type(key) is int for key in found)
    expect.that(not outward, "the keys are numbers; expected {layer: {bits: KL}}, the layers' names outside")
    found = {name: of_layer for name, of_layer in found.items() if name in forward or name != TIED_HEAD}
    expect.that(
        not set(forward) - set(found), "layers are missing: every Linear and every Conv1D that is called is there"
    )
    expect.that(not set(found) - set(forward), "there are keys that name no Linear or Conv1D that is called")
    reverse = 0
    for name, of_layer in forward.items():
        got = found[name]
        expect.that(type(got) is dict and set(got) == set(of_layer), "a layer's keys are not the numbers of bits")
        figures = {b: expect.number(kl, "KL") for b, kl in got.items()}
        reverse += all(abs(figures[b] - backward[name][b]) < 0.02 * backward[name][b] for b in of_layer)
    expect.that(
        reverse < len(forward) or all_near(found, forward),
        "the KL is KL(quantized ‖ original): the original comes first",
    )
    for name, of_layer in forward.items():
        for b, kl in of_layer.items():
            others = {f"under {b} bits is that of {other} bits": of_layer[other] for other in of_layer if other != b}
            expect.close(float(found[name][b]), kl, "a layer's KL", rtol=0.02, atol=2e-7, lookalikes=others)


def all_near(found, forward):
    """Whether every figure is right."""
    return all(abs(float(found[n][b]) - kl) <= 0.02 * kl + 2e-7 for n, of in forward.items() for b, kl in of.items())


@pytest.mark.task("4.4", item="values")
def test_sensitivity_gpt2(student, rng, once):
    """Every Conv1D of a GPT-2, alone, at every number of bits, over batches of different sizes."""
    spec, (drawn,) = lively("GPT2LMHeadModel", GPT2, rng), tokens(rng, rows=9, count=1)
    batches = [{"input_ids": part} for part in drawn["input_ids"].split((6, 1, 2))]
    wanted = once("kl", partial(measured, spec, batches, (2, 3, 4, 6, 8)))
    check_sensitivity(student.layer_sensitivity(student.remote.model(**spec), batches), wanted)


@pytest.mark.task("4.4", item="values")
def test_sensitivity_llama(student, rng, once):
    """Every Linear of a Llama with a head of its own, at the numbers of bits that are asked for."""
    spec, batches = lively("LlamaForCausalLM", LLAMA, rng), tokens(rng, rows=3, count=3)
    wanted = once("kl", partial(measured, spec, batches, (3, 5)))
    check_sensitivity(student.layer_sensitivity(student.remote.model(**spec), batches, bits=(3, 5)), wanted)


@pytest.mark.task("4.4", item="state")
def test_sensitivity_in_training_mode(student, rng, once):
    """A model in training mode is measured without its dropout, and is in training mode afterwards."""
    spec, batches = lively("GPT2LMHeadModel", {**GPT2, "n_layer": 1}, rng), tokens(rng, count=1)
    wanted = once("kl", partial(measured, spec, batches, (3,)))
    model = student.remote.model(**spec)
    model.train()
    before = student.remote.condition(model)
    check_sensitivity(student.layer_sensitivity(model, batches, bits=(3,)), wanted)
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="state")
def test_sensitivity_leaves_what_was_there(student, rng):
    """Frozen weights stay frozen, a tied head tied, hooks that were there stay, and the batches hold what they held."""
    spec, batches = lively("GPT2LMHeadModel", {**GPT2, "n_layer": 1}, rng), tokens(rng, count=1)
    model = student.remote.model(**spec)
    student.remote.set_trainable(model, False)
    student.remote.set_trainable(student.remote.submodule(model, "transformer.wte"), True)
    for name in ("transformer.wte", "transformer.h.0.mlp.c_fc"):
        student.remote.hook(student.remote.submodule(model, name))
    before = student.remote.condition(model)
    student.layer_sensitivity(model, batches, bits=(4,))
    expect.that(
        not student.last_call.mutated, "the batches are not what they were: entries were put in, taken out or changed"
    )
    tied = student.remote.tied(model, "lm_head.weight", "transformer.wte.weight")
    expect.that(tied is True, "the head no longer shares its weight with the embedding")
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="state")
def test_sensitivity_without_gradients(student, rng):
    """The model is called in eval mode and without gradients, each time."""
    model = student.remote.probe(
        torch.randn(6, 6, generator=rng)
    )  # its logits are the table, behind what is called dropout
    model.add_module("dropout", student.remote.linear(torch.randn(6, 6, generator=rng)))
    student.remote.set_training(model, True)
    with contextlib.suppress(
        AttributeError
    ):  # a stand-in has less than a transformers model; what was called until then counts
        student.layer_sensitivity(model, tokens(rng, count=2, vocabulary=6), bits=(3,))
    calls = student.remote.noted(model)  # none, if the student works on a copy
    expect.that(not any(call["training"] for call in calls), "the model is measured in training mode; use eval mode")
    expect.that(not any(call["grad"] for call in calls), "the model is measured with gradients on: use torch.no_grad()")


@pytest.mark.task("4.4", item="values")
def test_sensitivity_of_what_a_later_batch_calls(student, rng, once):
    """A layer that only some of the batches call is there, whichever they are."""
    spec, (plain, more) = lively("BertForSequenceClassification", BERT, rng), tokens(rng)
    batches = [plain, {**more, "encoder_hidden_states": torch.randn(4, 5, 32, generator=rng)}]
    wanted = once("kl", partial(measured, spec, batches, (4,)))
    check_sensitivity(student.layer_sensitivity(student.remote.model(**spec), batches, bits=(4,)), wanted)


@pytest.mark.task("4.4", item="values")
def test_sensitivity_leaves_out_what_is_not_called(student, rng, once):
    """A layer that the model never calls is left out; the model is as it was."""
    spec, batches = lively("LlamaForCausalLM", LLAMA, rng), tokens(rng, count=1)
    wanted = once("kl", partial(measured, spec, batches, (4,)))
    model = student.remote.model(**spec)
    model.add_module("spare", student.remote.linear(torch.randn(4, 4, generator=rng)))
    student.remote.set_training(model, False)
    before = student.remote.condition(model)
    check_sensitivity(student.layer_sensitivity(model, batches, bits=(4,)), wanted)
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="errors")
def test_sensitivity_refuses_other_bits(student, rng):
    """A number of bits that does not exist is a ValueError, and the model is as it was even then."""
    spec, batches = lively("GPT2LMHeadModel", {**GPT2, "n_layer": 1}, rng), tokens(rng, count=1)
    model = student.remote.model(**spec)
    before = student.remote.condition(model)
    for bits in ((4, 9), (1,), (2.5,)):
        call = partial(student.layer_sensitivity, model, batches, bits=bits)
        expect.raises(ValueError, call, because=f"bits held {bits[-1]}")
    unchanged(student, model, before)


@pytest.mark.task("4.4", item="values")
def test_sensitivity_of_large_logits(student, rng, once):
    """Logits of some hundreds: probabilities that underflow spoil nothing."""
    spec, batches = lively("GPT2LMHeadModel", {**GPT2, "n_layer": 1}, rng), tokens(rng, count=1)
    spec["state"]["transformer.ln_f.weight"] = spec["state"]["transformer.ln_f.weight"] * 60
    wanted = once("kl", partial(measured, spec, batches, (3,)))
    check_sensitivity(student.layer_sensitivity(student.remote.model(**spec), batches, bits=(3,)), wanted)


@pytest.mark.task("4.4", item="errors")
def test_sensitivity_hands_errors_on(student, rng):
    """What the model raises on a batch reaches the caller."""
    spec = lively("LlamaForCausalLM", LLAMA, rng)
    batches = [*tokens(rng, count=1), {"input_ids": torch.tensor([[1, 48]])}]
    call = partial(student.layer_sensitivity, student.remote.model(**spec), batches, bits=(4,))
    expect.raises(IndexError, call, because="a token is not in the vocabulary")


# ------------------------------------------------------------------ 4.5 assign_bits, quantize_mixed


def layer_bytes(count, bits):
    """What a layer costs, in whole bytes."""
    return -(-count * bits // 8)


def optimum(sensitivity, sizes, budget):
    """The least total sensitivity within the budget: for each number of bytes, the best so far."""
    best = np.full(budget + 1, math.inf)
    best[0] = 0.0
    for name, offered in sensitivity.items():
        following = np.full(budget + 1, math.inf)
        for bits, kl in offered.items():
            cost = layer_bytes(sizes[name], bits)
            if cost <= budget:
                following[cost:] = np.minimum(following[cost:], best[: budget + 1 - cost] + kl)
        best = following
    return float(best.min())


def by_ratio(sensitivity, sizes, budget):
    """A plain heuristic: from the cheapest plan on, the upgrade that gains most for a byte and still fits."""
    plan = {name: min(offered) for name, offered in sensitivity.items()}
    left = budget - sum(layer_bytes(sizes[name], bits) for name, bits in plan.items())
    while True:
        upgrades = []
        for name, bits in plan.items():
            for other, kl in sensitivity[name].items():
                extra = layer_bytes(sizes[name], other) - layer_bytes(sizes[name], bits)
                if 0 < extra <= left and kl < sensitivity[name][bits]:
                    upgrades.append(((sensitivity[name][bits] - kl) / extra, name, other, extra))
        if not upgrades:
            return sum(sensitivity[name][bits] for name, bits in plan.items())
        _, name, other, extra = max(upgrades)
        plan[name], left = other, left - extra


def uniform(rng, lo, hi):
    """A number between lo and hi."""
    return float(torch.rand((), generator=rng, dtype=torch.float64)) * (hi - lo) + lo


def choice(rng, *items):
    """One of the items."""
    return items[int(torch.randint(0, len(items), (), generator=rng))]


def layers(rng, count, bumps=False, sixteen=False):
    """(sensitivity, sizes) of that many layers; with `bumps`, KL does not fall with every bit."""
    sensitivity, sizes = {}, {}
    for index in range(count):
        name = f"block.{index // 4}.part.{index % 4}"
        sizes[name] = choice(rng, 96, 192, 192, 288, 384) + choice(rng, 0, 1, 3, 5)
        base, rate = 10 ** uniform(rng, -2.5, 0.0), uniform(rng, 2.2, 4.0)
        bits = (2, 3, 4, 6, 8, 16) if sixteen and index % 2 else (2, 3, 4, 6, 8)
        bits = tuple(b for b in bits if not sixteen or b in (2, 16) or uniform(rng, 0, 1) < 0.7)
        kls = {b: 0.0 if b == 16 else base * rate ** (2 - b) * uniform(rng, 0.9, 1.1) for b in bits}
        if bumps and index % 2:
            kls[4], kls[6] = kls[3] * 1.05, kls[6] * 0.5  # one bit more than 3 makes it worse
        sensitivity[name] = kls
    return sensitivity, sizes


def instance(rng, limit, count, **kinds):
    """Layers and a budget on which even a plain heuristic stays well within the limit: the limit measures methods."""
    for _ in range(200):
        sensitivity, sizes = layers(rng, count, **kinds)
        least = sum(layer_bytes(sizes[name], min(offered)) for name, offered in sensitivity.items())
        most = sum(layer_bytes(sizes[name], max(offered)) for name, offered in sensitivity.items())
        budget = int(least + uniform(rng, 0.25, 0.45) * (most - least))
        best = optimum(sensitivity, sizes, budget)
        if by_ratio(sensitivity, sizes, budget) <= (1 + 0.6 * (limit - 1)) * best:
            return sensitivity, sizes, budget, best
    raise AssertionError("no instance was found")


def check_plan(plan, sensitivity, sizes, budget):
    """{layer: offered bits} within the budget; returns its total sensitivity."""
    expect.that(type(plan) is dict, "the plan is no dict; expected {layer: bits}")
    expect.that(set(plan) == set(sensitivity), "the plan's keys are not the layers")
    for name, bits in plan.items():
        expect.that(type(bits) is int and bits in sensitivity[name], "the plan has bits that the layer does not offer")
    spent = sum(layer_bytes(sizes[name], bits) for name, bits in plan.items())
    expect.that(spent <= budget, "the plan costs more than the budget", f"{spent} bytes of {budget}")
    return sum(sensitivity[name][bits] for name, bits in plan.items())


def check_assignment(student, limit, sensitivity, sizes, budget, best):
    """A plan within the budget whose total sensitivity is at most `limit` times the least."""
    total = check_plan(student.assign_bits(sensitivity, sizes, budget), sensitivity, sizes, budget)
    words = "the total sensitivity is too far above the least that the budget allows"
    expect.that(total <= limit * best + 1e-9, words, f"{total:.6g}, the least is {best:.6g}")


@pytest.mark.task("4.5", item="values")
def test_assign_many_layers(student, rng, once):
    """Many layers, and total sensitivity close to the least that the budget allows."""
    for count in (24, 36):
        given = once(f"{count}", partial(instance, rng, 1.05, count))
        check_assignment(student, 1.05, *given)


@pytest.mark.task("4.5", item="values")
def test_assign_few_layers(student, rng, once):
    """Few layers, where every byte that is left over counts more."""
    for count in (3, 6, 10, 16):
        given = once(f"{count}", partial(instance, rng, 1.25, count))
        check_assignment(student, 1.25, *given)


@pytest.mark.task("4.5", item="values")
def test_assign_sensitivity_may_rise(student, rng, once):
    """One bit more may make a layer worse: nothing is bought that makes it worse, nor given up because of it."""
    for count in (24, 30):
        given = once(f"{count}", partial(instance, rng, 1.05, count, bumps=True))
        check_assignment(student, 1.05, *given)


@pytest.mark.task("4.5", item="values")
def test_assign_own_choices(student, rng, once):
    """Each layer offers bits of its own, some of them 16: left alone, two bytes a weight."""
    given = once("sixteen", partial(instance, rng, 1.05, 28, sixteen=True))
    check_assignment(student, 1.05, *given)


@pytest.mark.task("4.5", item="values")
def test_assign_tight_budgets(student, rng):
    """A budget that the cheapest plan meets exactly is enough; one byte less is a ValueError; plenty buys the best."""
    sensitivity, sizes = layers(rng, 5)
    least = sum(layer_bytes(sizes[name], 2) for name in sensitivity)
    plan = student.assign_bits(sensitivity, sizes, least)
    check_plan(plan, sensitivity, sizes, least)
    call = partial(student.assign_bits, sensitivity, sizes, least - 1)
    expect.raises(ValueError, call, because="even the cheapest plan costs more than the budget")
    best = sum(min(offered.values()) for offered in sensitivity.values())
    total = check_plan(student.assign_bits(sensitivity, sizes, 10**7), sensitivity, sizes, 10**7)
    expect.that(total <= 1.25 * best + 1e-9, "bytes are left over that would have helped")


def lower_bound(sensitivity, sizes, budget):
    """A total that no plan within the budget goes below: the best of the Lagrangian's, over prices of a byte."""
    best = 0.0
    for price in np.geomspace(1e-12, 1.0, 2000):
        paid = sum(
            min(kl + price * layer_bytes(sizes[name], bits) for bits, kl in offered.items())
            for name, offered in sensitivity.items()
        )
        best = max(best, paid - price * budget)
    return best


@pytest.mark.task("4.5", item="values")
def test_assign_layers_of_millions(student, rng):
    """Layers of millions of weights, as real models have: a table with a place for every byte is too large."""
    sensitivity, sizes = {}, {}
    for index in range(32):
        sizes[f"l{index}"] = int(uniform(rng, 4e6, 4.5e7))
        base = 10 ** uniform(rng, -2.5, 0.0)
        sensitivity[f"l{index}"] = {bits: base * 3.0 ** (2 - bits) for bits in (2, 3, 4, 6, 8)}
    least, most = (sum(layer_bytes(count, bits) for count in sizes.values()) for bits in (2, 8))
    budget = int(least + 0.35 * (most - least))
    check_assignment(student, 1.05, sensitivity, sizes, budget, 1.03 * lower_bound(sensitivity, sizes, budget))


@pytest.mark.task("4.5", item="values")
def test_assign_what_costs_nothing(student, rng):
    """Where the budget pays for layers left alone, nothing is lost at all."""
    sensitivity, sizes = layers(rng, 9)
    given = {name: {**offered, 16: 0.0} for name, offered in sensitivity.items()}
    check_assignment(student, 1.25, given, sizes, sum(2 * count for count in sizes.values()), 0.0)


@pytest.mark.task("4.5", item="state")
def test_assign_leaves_its_inputs(student, rng):
    """The sensitivities and the sizes that were handed in are what they were."""
    sensitivity, sizes = layers(rng, 6, bumps=True)
    budget = sum(layer_bytes(sizes[name], 4) for name in sensitivity)
    for given in (sensitivity, layers(rng, 6, sixteen=True)[0]):
        student.assign_bits(given, sizes, budget)
        words = "sensitivity or sizes are changed: work on copies, also of the dicts within"
        expect.that(not student.last_call.mutated, words)


@pytest.mark.task("4.5", item="values")
def test_assign_many_odd_sizes(student, rng):
    """Weights that fill no whole byte are rounded up, layer by layer."""
    sensitivity = {f"l{i}": {3: 0.5 + 0.01 * i, 5: 0.1, 7: 0.02} for i in range(12)}
    sizes = {name: choice(rng, 9, 11, 13, 15, 17, 19, 21, 23) for name in sensitivity}
    for share in (0.0, 0.3, 0.6):
        least, most = (sum(layer_bytes(sizes[name], b) for name in sizes) for b in (3, 7))
        budget = int(least + share * (most - least))
        check_plan(student.assign_bits(sensitivity, sizes, budget), sensitivity, sizes, budget)


def check_weight(found, weight, bits, axis, name):
    """A layer's weight restored from codes of its own; near ties both neighbours are right."""
    found = expect.tensor(found, name, shape=weight.shape).double()
    want, top = rounded(weight, bits, axis), 2 ** (bits - 1) - 1
    step = weight.double().abs().amax(dim=1 - axis, keepdim=True) / top
    step[step == 0] = 1.0
    ratio = weight.double() / step
    tie = (ratio - ratio.floor() - 0.5).abs() <= expect.TIE
    wrong = (found - want).abs() > 1e-4 * step + tie * step
    if not bool(wrong.any()):
        return
    whole = weight.double().abs().amax() / top
    known = {
        "is not quantized": weight.double(),
        "has one scale for the whole weight: quantize per output channel": (weight.double() / whole).round() * whole,
        "has scales along the wrong axis": rounded(weight, bits, 1 - axis),
    }
    for words, other in known.items():
        expect.that(bool(((found - other).abs() > 1e-4 * other.abs().max()).any()), f"{name} {words}")
    raise expect.MismatchError(f"{name} is not the weight restored from that many bits")


@pytest.mark.task("4.5", item="values")
def test_mixed_layers(student, rng):
    """Linear and Conv1D, each with its own number of bits, per output channel; biases as they were."""
    ranges = torch.exp(torch.randn(1, 12, generator=rng))
    weights = [
        torch.randn(12, 10, generator=rng) * ranges.T,
        torch.randn(12, 12, generator=rng) * ranges,
        torch.randn(8, 12, generator=rng),
    ]
    biases = [torch.randn(12, generator=rng), torch.randn(12, generator=rng), torch.randn(8, generator=rng)]
    makes = (student.remote.linear, student.remote.conv1d, student.remote.linear)
    parts = [make(w, b) for make, w, b in zip(makes, weights, biases, strict=True)]
    for plan in ({"0": 3, "1": 5}, {"0": 8, "1": 2, "2": 4}):
        made = student.quantize_mixed(student.remote.sequential(*parts), plan)
        for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            layer, axis = student.remote.submodule(made, str(index)), 1 if index == 1 else 0
            at_zero = student.remote.output(layer, torch.zeros(1, weight.shape[1 - axis]))
            expect.close(expect.tensor(at_zero, "the bias", shape=(1, len(bias))), bias[None], "the bias", atol=1e-6)
            found = student.remote.output(layer, torch.eye(weight.shape[1 - axis])) - at_zero
            found = found if index == 1 else found.T
            if str(index) in plan:
                check_weight(found, weight, plan[str(index)], axis, "a layer's weight")
            else:
                expect.close(found, weight, "the weight of a layer that is not in the plan", atol=1e-5)


@pytest.mark.task("4.5", item="values")
def test_mixed_model(student, rng, once):
    """A whole GPT-2 by a plan: its outputs are those of the weights that the plan asks for."""
    spec, batches = lively("GPT2LMHeadModel", GPT2, rng), tokens(rng, count=1)
    plan = {name: (2, 4, 16, 8, 3)[at % 5] for at, name in enumerate(quantizable(build(**spec)))}

    def wanted():
        model = build(**spec)
        for name, bits in plan.items():
            layer = model.get_submodule(name)
            if bits != 16:
                layer.weight.data = rounded(layer.weight.detach(), bits, kept_axis(layer)).float()
        return logits_of(model, batches)[0]

    made = student.quantize_mixed(student.remote.model(**spec), plan)
    (logits,) = student.remote.logits(made, batches)
    want = once("logits", wanted)
    logits = expect.tensor(logits, "the logits", shape=want.shape)
    expect.close(logits, want, "the logits", rtol=1e-3, atol=1e-2)


@pytest.mark.task("4.5", item="state")
def test_mixed_stays_tied(student, rng):
    """A head that shares its weight with the embedding still does, whether it is in the plan or not."""
    spec = lively("GPT2LMHeadModel", {**GPT2, "n_layer": 1}, rng)
    for plan in ({"transformer.h.0.mlp.c_fc": 4}, {"lm_head": 3}, {"lm_head": 16}):
        made = student.quantize_mixed(student.remote.model(**spec), plan)
        tied = student.remote.tied(made, "lm_head.weight", "transformer.wte.weight")
        expect.that(tied is True, "the head no longer shares its weight with the embedding")
        if plan == {"lm_head": 3}:
            found = student.remote.state_dict(made)["lm_head.weight"]
            check_weight(found, spec["state"]["transformer.wte.weight"], 3, 0, "the head's weight")


@pytest.mark.task("4.5", item="state")
def test_mixed_leaves_the_model(student, rng):
    """The model that was given is as it was, and shares nothing with the one that was made."""
    spec = lively("GPT2LMHeadModel", {**GPT2, "n_layer": 1}, rng)
    model = student.remote.model(**spec)
    before = student.remote.condition(model)
    made = student.quantize_mixed(model, {"transformer.h.0.attn.c_attn": 2, "transformer.h.0.mlp.c_proj": 16})
    unchanged(student, model, before)
    expect.that(student.remote.condition(made)["values"] != before["values"], "nothing was quantized")


@pytest.mark.task("4.5", item="errors")
def test_mixed_refuses_other_bits(student, rng):
    """A number of bits that does not exist is a ValueError; 16 does exist here."""
    model = student.remote.sequential(student.remote.linear(torch.randn(3, 4, generator=rng)))
    for bits in (1, 9, 32, 4.5):
        call = partial(student.quantize_mixed, model, {"0": bits})
        expect.raises(ValueError, call, because=f"the plan asked for {bits} bits")


@pytest.mark.task("4.5", item="extremes")
def test_mixed_zero_channel(student, rng):
    """Where a whole channel of a weight is zero, it is so afterwards."""
    weight = torch.randn(4, 6, generator=rng)
    weight[2] = 0.0
    made = student.quantize_mixed(student.remote.sequential(student.remote.linear(weight)), {"0": 4})
    found = student.remote.output(student.remote.submodule(made, "0"), torch.eye(6)).T
    check_weight(found, weight, 4, 0, "a layer's weight")


HELD_BACK = Path(__file__).parent.parent / "held_back"
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


def small_bert(rng):
    """An untrained one-layer BERT, as plain data and as a model here."""
    from autograder.runtime import kit  # noqa: PLC0415

    built = kit.model("BertForSequenceClassification", SMALL_BERT)
    state = {name: 0.2 * torch.randn(value.shape, generator=rng) for name, value in built.named_parameters()}
    described = {"class_name": "BertForSequenceClassification", "config": SMALL_BERT, "state": state}
    return described, kit.model(**described)


def token_batches(sizes, rng, vocabulary=96, length=16):
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


# ------------------------------------------------------------------ 4.6 smoothquant


def rms(x, gain):
    """What Llama's norm makes of x."""
    return x / (x.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt() * gain


def formula(peaks, weight, alpha=0.5):
    """SmoothQuant's scales where no channel is zero, float64."""
    return peaks.double() ** alpha / weight.double().abs().amax(dim=0) ** (1 - alpha)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_scales_follow_alpha(student, rng):
    """The formula, for one weight and for several put together, with the default and with other strengths."""
    for rows, alpha in (((40,), None), ((24, 16), 0.3), ((16, 16, 8), 0.85)):
        weight = torch.cat([torch.randn(count, 32, generator=rng) * (at + 1) for at, count in enumerate(rows)])
        peaks = 0.2 + 40 * torch.rand(32, generator=rng) ** 3
        strength = {} if alpha is None else {"alpha": alpha}
        found = student.smoothquant_scales(peaks, weight, **strength)
        scales = expect.tensor(found, "scales", dtype=torch.float32, shape=(32,))
        used = 0.5 if alpha is None else alpha
        lookalikes = {
            "has alpha on the wrong factor": formula(peaks, weight, 1 - used),
            "is upside down": 1 / formula(peaks, weight, used),
            "ignores alpha": formula(peaks, weight),
            "uses the first of the weights only": formula(peaks, weight[: rows[0]], used),
        }
        expect.close(scales, formula(peaks, weight, used), "the result", lookalikes=lookalikes)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_after_llamas_norm(student, rng):
    """Llama's norm has no bias, its linear layers none either: same float output, clearly smaller 8-bit error."""
    x, gain = with_hot_channels(96, rng)
    weights = [0.08 * torch.randn(rows, 96, generator=rng) for rows in (64, 24, 24)]
    norm, linears = student.remote.rms_norm(gain), [student.remote.linear(weight) for weight in weights]
    before = rms(x, gain)
    scales = formula(before.abs().amax(dim=0), torch.cat(weights)).float()
    made = student.apply_smoothquant(norm, linears, scales)
    check_smoother(student, x, before, [(weight, None) for weight in weights], made)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_with_biases(student, rng):
    """A norm with a bias before a linear layer with a bias: same float output, clearly smaller 8-bit error."""
    x, gain = with_hot_channels(64, rng)
    shift, weight, bias = (
        torch.randn(64, generator=rng),
        0.1 * torch.randn(40, 64, generator=rng),
        torch.randn(40, generator=rng),
    )
    norm, linear = student.remote.layer_norm(gain, shift), student.remote.linear(weight, bias)
    before = nn.functional.layer_norm(x, (64,), gain, shift)
    made = student.apply_smoothquant(norm, [linear], formula(before.abs().amax(dim=0), weight).float())
    check_smoother(student, x, before, [(weight, bias)], made)


@pytest.mark.task("4.6", item="values")
def test_smoothquant_norm_without_bias(student, rng):
    """A LayerNorm may have no bias at all."""
    x, gain = with_hot_channels(64, rng)
    weight = 0.1 * torch.randn(32, 64, generator=rng)
    norm, linear = student.remote.layer_norm(gain), student.remote.linear(weight)
    before = nn.functional.layer_norm(x, (64,), gain)
    made = student.apply_smoothquant(norm, [linear], formula(before.abs().amax(dim=0), weight).float())
    check_smoother(student, x, before, [(weight, None)], made)


@pytest.mark.task("4.6", item="extremes")
def test_smoothquant_dead_channels(student, rng):
    """Channels that are zero on either side get the scale 1, whatever the strength."""
    weight, peaks = torch.randn(12, 24, generator=rng), 0.5 + torch.rand(24, generator=rng)
    dead = torch.randperm(24, generator=rng)[:6]
    weight[:, dead[:4]] = 0
    peaks[dead[2:]] = 0
    for alpha in (0.3, 0.8):
        found = student.smoothquant_scales(peaks, weight, alpha=alpha)
        scales = expect.tensor(found, "scales", dtype=torch.float32, shape=(24,))
        want = formula(peaks, weight, alpha)
        want[dead] = 1.0
        expect.close(scales, want, "the result")


@pytest.mark.task("4.6", item="inputs")
def test_smoothquant_in_half_precision(student, rng):
    """From float16 and bfloat16, too, scales are float32, and computed in it."""
    for dtype in (torch.float16, torch.bfloat16):
        peaks, weight = 0.5 + 40 * torch.rand(24, generator=rng), torch.randn(12, 24, generator=rng)
        peaks, weight = peaks.to(dtype), weight.to(dtype)
        found = student.smoothquant_scales(peaks, weight)
        scales = expect.tensor(found, "scales", dtype=torch.float32, shape=(24,))
        expect.close(scales, formula(peaks, weight), "the result")


@pytest.mark.task("4.6", item="state")
def test_smoothquant_leaves_what_it_was_given(student, rng):
    """Tensors, norm and linear layers are what they were, in every value."""
    x, gain = with_hot_channels(32, rng)
    weights = [torch.randn(16, 32, generator=rng) for _ in range(2)]
    norm, linears = student.remote.rms_norm(gain), [student.remote.linear(weight) for weight in weights]
    before = [student.remote.condition(part) for part in (norm, *linears)]
    student.smoothquant_scales(rms(x, gain).abs().amax(dim=0), weights[0])
    expect.inputs_unchanged(student)
    student.apply_smoothquant(norm, linears, 1 + torch.rand(32, generator=rng))
    expect.inputs_unchanged(student)
    for part, was in zip((norm, *linears), before, strict=True):
        expect.that(student.remote.condition(part) == was, "a layer that was handed in is changed: work on a copy")


@pytest.mark.task("4.6", item="inputs")
def test_smoothquant_on_device(student, rng, device):
    """Scales are computed, and live, where activations and weight live, without a step for each element."""
    peaks, weight = 0.5 + torch.rand(32, generator=rng), torch.randn(256, 32, generator=rng)
    on = weight.to(device)
    scales = expect.device_call(student.smoothquant_scales, peaks.to(device), on)
    expect.on_device(student, on, scales=scales)
    scales = expect.tensor(scales, "scales", dtype=torch.float32, shape=(32,))
    expect.close(scales, formula(peaks, weight), "the result")


# ------------------------------------------------------------------ 4.7 ONNX Runtime


def held_back_bert():
    """The classifier of another training seed, which no student has."""
    return models.load_model("tiny-bert", folder=HELD_BACK)


def rows_for(rng):
    """(calibration batches, batches of the held-back evaluation rows, of other sizes)."""
    shown = models.batches(models.load_batches("tiny-bert", "calibration"), 4, 8, rng)
    asked = models.batches(models.load_batches("tiny-bert", "evaluation", folder=HELD_BACK), 4, 24, rng)
    return shown, [*asked[1:], {name: rows[:7] for name, rows in asked[0].items()}]


def reference_export(reference, described, sample):
    """The float file, by the reference."""
    folder = reference.remote.folder()
    reference.allow("onnxruntime")
    reference.export_onnx(reference.remote.model(**described), f"{folder}/model.onnx", sample)
    return reference.remote.files(folder)


@pytest.mark.task("4.7", item="values")
def test_onnx_export_of_a_model_never_seen(student, rng):
    """The export of a model that no student has answers as that model does, on rows and batch sizes never seen."""
    model = held_back_bert()
    shown, asked = rows_for(rng)
    summary = check_export(student, models.spec(model), model, [shown[0], *asked[-2:]])
    expect.that(
        set(summary["inputs"]) <= set(shown[0]), "the file's inputs are not named as the keys of the sample are"
    )


@pytest.mark.task("4.7", item="values")
def test_onnx_quantized_file_is_small_and_right(student, reference, rng, once):
    """From the file alone: smaller by the factor that is asked for, static QDQ, close to the float model on rows
    that only the evaluation has."""
    model = held_back_bert()
    shown, asked = rows_for(rng)
    source = once("float file", lambda: reference_export(reference, models.spec(model), shown[0]))
    size, files = quantized(student, source, shown)
    check_smaller(size, files)
    found, summary = run_artifact(student, files, asked)
    check_static(summary, linear_elements(model))
    kl, agreement = judge(found, float_logits(model, asked))
    words = "the quantized model answers differently from the float model: which operators were quantized?"
    expect.that(kl <= 0.02 and agreement >= 0.93, words)


@pytest.mark.task("4.7", item="artifact")
def test_onnx_cannot_saturate(student, rng):
    """What the file stores can never leave the 16 bits in which CPUs without VNNI add two products."""
    content = float_perceptron((64, 160, 64, 48), rng)
    shown = [{"x": 3 * torch.randn(12, 64, generator=rng)} for _ in range(3)]
    _, files = quantized(student, {"model.onnx": content}, shown)
    _, summary = run_artifact(student, files, shown[:1])
    check_static(summary, 64 * 160 + 160 * 64 + 64 * 48)
    check_no_saturation(summary)


@pytest.mark.task("4.7", item="state")
def test_onnx_leaves_the_model(student, rng):
    """The model that is exported stays as it was: weights, hooks, its mode, whichever it is; the batch too."""
    described, _ = small_bert(rng)
    model, batches = student.remote.model(**described), token_batches((3,), rng)
    student.allow("onnxruntime")
    for training in (True, False):
        student.remote.set_training(model, training)
        before = student.remote.condition(model)
        student.export_onnx(model, f"{student.remote.folder()}/model.onnx", batches[0])
        expect.inputs_unchanged(student)
        unchanged(student, model, before)


# ------------------------------------------------------------------ 4.8 GPTQ (bonus)


@pytest.mark.task("4.8", item="values")
def test_gptq_on_inputs_never_seen(student, rng):
    """With several groups a row the error is clearly below rounding, on the inputs given and on others like them."""
    weight, x = 0.05 * torch.randn(64, 128, generator=rng), correlated_inputs(768, 128, rng)
    shown, unseen = x[:512], x[512:]
    found = student.gptq_quantize(weight, shown, bits=4, group_size=32)
    check_gptq(found, weight, 4, 32, shown, unseen)


@pytest.mark.task("4.8", item="values")
def test_gptq_beyond_the_group(student, rng):
    """A column's error is passed on beyond its own group: here only columns of two groups have to do with each
    other.
    """
    weight, first = 0.05 * torch.randn(48, 64, generator=rng), torch.randn(512, 32, generator=rng)
    x = torch.cat((first, first + 0.3 * torch.randn(512, 32, generator=rng)), dim=1)
    check_gptq(student.gptq_quantize(weight, x, bits=4, group_size=32), weight, 4, 32, x)


@pytest.mark.task("4.8", item="values")
def test_gptq_other_bits(student, rng):
    """The levels follow `bits`."""
    for bits, group_size in ((3, 64), (5, 16)):
        weight, x = 0.05 * torch.randn(32, 128, generator=rng), correlated_inputs(512, 128, rng)
        found = student.gptq_quantize(weight, x, bits=bits, group_size=group_size)
        check_gptq(found, weight, bits, group_size, x)


@pytest.mark.task("4.8", item="extremes")
def test_gptq_few_inputs(student, rng):
    """Fewer inputs than channels leave the curvature singular: damped, it still works."""
    weight, x = 0.05 * torch.randn(32, 128, generator=rng), correlated_inputs(48, 128, rng)
    check_gptq(student.gptq_quantize(weight, x, bits=4, group_size=64), weight, 4, 64, x)


@pytest.mark.task("4.8", item="extremes")
def test_gptq_zero_group(student, rng):
    """A group of weights that are all zero gets a finite scale, and stays as good as zero."""
    weight, x = 0.05 * torch.randn(16, 64, generator=rng), correlated_inputs(256, 64, rng)
    weight[3] = 0
    found = student.gptq_quantize(weight, x, bits=4, group_size=32)
    restored = restored_groups(found, weight, 4, 32)
    check_gptq(found, weight, 4, 32, x)
    expect.that(bool((restored[3] == 0).all()), "a row of zeros does not come back as zeros")


@pytest.mark.task("4.8", item="state")
def test_gptq_leaves_its_inputs(student, rng):
    """Weight and inputs are not modified, although the method changes weights as it goes."""
    weight, x = torch.randn(16, 32, generator=rng), correlated_inputs(64, 32, rng)
    student.gptq_quantize(weight, x, bits=4, group_size=32)
    expect.inputs_unchanged(student)


@pytest.mark.task("4.8", item="inputs")
def test_gptq_on_device(student, rng, device):
    """The work is done, and the results live, where weight and inputs live; a loop over columns is fine."""
    weight, x = 0.05 * torch.randn(1024, 64, generator=rng), correlated_inputs(512, 64, rng)
    on = weight.to(device)
    made = expect.device_call(student.gptq_quantize, on, x.to(device), bits=4, group_size=32)
    q, scale = expect.results(made, "q", "scale")
    expect.on_device(student, on, q=q, scale=scale)
    moved = student.last_call.moved_elements
    expect.that(moved < 64 * 64, "the curvature was moved to the CPU; its inverse and factor exist on devices, too")
    check_gptq(made, weight, 4, 32, x)


# ------------------------------------------------------------------ 4.9 AWQ (bonus)


@pytest.mark.task("4.9", item="values")
def test_awq_with_groups(student, rng):
    """Hot channels among groups of other sizes, other numbers of bits: the error is clearly below rounding."""
    for bits, group_size in ((4, 32), (3, 64)):
        weight, x = 0.05 * torch.randn(64, 128, generator=rng), few_hot(torch.randn(256, 128, generator=rng), rng)
        found = student.awq_search(weight, x, bits=bits, group_size=group_size)
        words = "the error is not clearly below that of rounding to nearest"
        expect.that(awq_ratio(found, weight, x, bits, group_size) <= 0.7, words)


@pytest.mark.task("4.9", item="extremes")
def test_awq_no_worse_on_plain_data(student, rng):
    """Without hot channels the search may find nothing, but it never makes things worse."""
    plain = 0.05 * torch.randn(48, 128, generator=rng)
    pairs = (
        (plain, correlated_inputs(256, 128, rng)),
        with_large_weights(plain, torch.randn(256, 128, generator=rng), rng),
    )
    for weight, x in pairs:
        found = student.awq_search(weight, x, bits=4, group_size=64)
        words = "the error is larger than without any scales"
        expect.that(awq_ratio(found, weight, x, 4, 64) <= 1.0001, words)


@pytest.mark.task("4.9", item="extremes")
def test_awq_silent_channel(student, rng):
    """A channel that is always 0 still gets a finite positive scale."""
    weight, x = 0.05 * torch.randn(32, 64, generator=rng), few_hot(torch.randn(128, 64, generator=rng), rng)
    x[:, 7] = 0
    words = "the error is larger than without any scales"
    found = student.awq_search(weight, x, bits=4, group_size=32)
    expect.that(awq_ratio(found, weight, x, 4, 32) <= 1.0001, words)


@pytest.mark.task("4.9", item="state")
def test_awq_leaves_its_inputs(student, rng):
    """Weight and inputs are not modified."""
    weight, x = torch.randn(16, 32, generator=rng), few_hot(torch.randn(64, 32, generator=rng), rng)
    student.awq_search(weight, x, bits=4, group_size=32)
    expect.inputs_unchanged(student)


@pytest.mark.task("4.9", item="inputs")
def test_awq_on_device(student, rng, device):
    """The search is done, and the scales live, where weight and inputs live; a step for each candidate is fine."""
    weight, x = 0.05 * torch.randn(2048, 64, generator=rng), few_hot(torch.randn(1024, 64, generator=rng), rng)
    on = weight.to(device)
    scales = expect.device_call(student.awq_search, on, x.to(device), bits=4, group_size=32)
    expect.on_device(student, on, scales=scales)
    words = "the error is larger than without any scales"
    expect.that(awq_ratio(scales, weight, x, 4, 32) <= 1.0001, words)


# ------------------------------------------------------------------ 4.10 Hadamard (bonus)


@pytest.mark.task("4.10", item="values")
def test_hadamard_other_shapes(student, rng):
    """Other widths, other loud channels: the output is kept, lengths too, and the W4A4 error falls clearly."""
    for rows, width, factors in ((48, 128, (10.0, 14.0)), (32, 512, (5.0, 9.0, 13.0, 20.0))):
        weight, x = 0.05 * torch.randn(rows, width, generator=rng), spiky(160, width, factors, rng)
        turned = check_rotated(student.hadamard_rotate(weight, x), weight, x)
        check_spread(turned, weight, x)


@pytest.mark.task("4.10", item="values")
def test_hadamard_is_orthogonal(student, rng):
    """Applied to the identity it shows itself: a square matrix whose rows are orthogonal and of length 1."""
    for width in (4, 64):
        weight, x = torch.randn(8, width, generator=rng), torch.eye(width)
        turned = check_rotated(student.hadamard_rotate(weight, x), weight, x)
        product = turned[1].double() @ turned[1].double().T
        worst = float((product - torch.eye(width, dtype=torch.float64)).abs().max())
        expect.that(worst <= 1e-5, "the rows of the rotation are not orthogonal")


@pytest.mark.task("4.10", item="errors")
def test_hadamard_refuses_what_is_no_power_of_two(student, rng):
    """Widths that are no power of two, even or odd, are a ValueError."""
    for width in (3, 20, 192):
        weight, x = torch.randn(5, width, generator=rng), torch.randn(2, width, generator=rng)
        call = partial(student.hadamard_rotate, weight, x)
        expect.raises(ValueError, call, because="the input width was no power of two", named=True)


@pytest.mark.task("4.10", item="state")
def test_hadamard_leaves_its_inputs(student, rng):
    """Weight and inputs are not modified."""
    student.hadamard_rotate(torch.randn(8, 16, generator=rng), torch.randn(4, 16, generator=rng))
    expect.inputs_unchanged(student)


@pytest.mark.task("4.10", item="inputs")
def test_hadamard_on_device(student, rng, device):
    """The rotation is made, and its results live, where weight and inputs live."""
    weight, x = torch.randn(32, 64, generator=rng), torch.randn(32, 64, generator=rng)
    on = weight.to(device)
    found = expect.results(expect.device_call(student.hadamard_rotate, on, x.to(device)), "weight", "inputs")
    expect.on_device(student, on, weight=found[0], inputs=found[1])
    check_rotated(found, weight, x)
