"""Public tests of exercise 04: small examples to follow by hand, and a few random ones.

`student.f(x)` calls the student's f; `rng` is seeded by the assignment; `expect` says what a wrong answer
looks like. Core tests are about right values on ordinary data; edge tests pay when all core tests pass.
"""

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


@pytest.mark.task("4.2", item="extremes")
def test_kl_infinite(student):
    """Where nothing is left of Q, no threshold could be worse: infinity."""
    hist = torch.tensor([50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 2.0])
    found = expect.number(student.kl_at(hist, 4, levels=2), "kl_at")
    expect.that(found == math.inf, "kl_at is not infinite where Q sums to 0", f"{found:.6g}")


@pytest.mark.task("4.2", item="errors")
def test_kl_needs_enough_bins(student):
    """64 bins can't be merged into 128 levels: a ValueError."""
    call = partial(student.kl_at, torch.ones(64), 64, levels=128)
    expect.raises(ValueError, call, because="there were fewer bins than levels")


@pytest.mark.task("4.2", item="state")
def test_kl_leaves_its_histogram(student):
    """hist[0] is replaced in a copy: the histogram itself is unchanged, for the next candidate."""
    student.kl_at(torch.tensor(HISTOGRAM, dtype=torch.float64), 6, levels=2)
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
    "transformer.h.0.attn.c_attn": {3: 0.0196073, 6: 0.000246155},
    "transformer.h.0.attn.c_proj": {3: 0.0124078, 6: 0.000147225},
    "transformer.h.0.mlp.c_fc": {3: 0.0211029, 6: 0.000268522},
    "transformer.h.0.mlp.c_proj": {3: 0.0126728, 6: 0.000127993},
}
KL_PER_TENSOR = {
    "transformer.h.0.attn.c_attn": {3: 0.104713, 6: 0.000580126},
    "transformer.h.0.attn.c_proj": {3: 0.0368654, 6: 0.000181852},
    "transformer.h.0.mlp.c_fc": {3: 0.0809841, 6: 0.000558954},
    "transformer.h.0.mlp.c_proj": {3: 0.0408541, 6: 0.000750059},
}
KL_WRONG_AXIS = {
    "transformer.h.0.attn.c_attn": {3: 0.0488477, 6: 0.00087199},
    "transformer.h.0.attn.c_proj": {3: 0.0268781, 6: 0.000213319},
    "transformer.h.0.mlp.c_fc": {3: 0.0853378, 6: 0.000799398},
    "transformer.h.0.mlp.c_proj": {3: 0.0449449, 6: 0.000264677},
}
KL_REVERSED = {
    "transformer.h.0.attn.c_attn": {3: 0.0211134, 6: 0.000246069},
    "transformer.h.0.attn.c_proj": {3: 0.0121033, 6: 0.000146372},
    "transformer.h.0.mlp.c_fc": {3: 0.021487, 6: 0.00026944},
    "transformer.h.0.mlp.c_proj": {3: 0.0127478, 6: 0.00012849},
}
KL_ACCUMULATED = {
    "transformer.h.0.attn.c_attn": {3: 0.0196073, 6: 0.0184452},
    "transformer.h.0.attn.c_proj": {3: 0.032136, 6: 0.0324617},
    "transformer.h.0.mlp.c_fc": {3: 0.048004, 6: 0.0479586},
    "transformer.h.0.mlp.c_proj": {3: 0.0521126, 6: 0.0519511},
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
    """Two batches of three rows of twelve tokens."""
    tokens = (torch.arange(72) * torch.arange(72) * 5 + 3 * torch.arange(72)) % 24
    return [{"input_ids": part} for part in tokens.reshape(2, 3, 12)]


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
                "is summed over the batches: take the mean over all rows": kl * 2,
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


@pytest.mark.task("4.4", item="state")
def test_sensitivity_leaves_the_model(student):
    """The model is as it was: weights, train or eval mode, hooks, gradients."""
    model = student.remote.model(**small_gpt2())
    model.train()
    before = student.remote.condition(model)
    student.layer_sensitivity(model, token_batches()[:1], bits=(2,))
    after = student.remote.condition(model)
    changed = [name for name in before if before[name] != after[name]]
    expect.that(not changed, f"the model is not as it was: {', '.join(changed)}")


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
    """At least 2.8 times smaller, all files counted."""
    ratio = size / sum(content.numel() for content in files.values())
    words = (
        "the quantized model is not small enough: look for its largest float tensors; they stay beside the "
        "integers, or where "
        "the graph computes a weight, as after an export in training mode or without constant folding"
    )
    expect.that(ratio >= 2.8, words, f"{ratio:.2f} times smaller, expected at least 2.8")


@pytest.mark.task("4.7", item="values")
def test_onnx_export_runs_on_other_batch_sizes(student, rng):
    """The exported file answers as the model does, for a batch of 2 as it was shown and for batches of 1 and 5."""
    described, model = small_bert(rng)
    check_export(student, described, model, methods_token_batches((2, 1, 5), rng))


@pytest.mark.task("4.7", item="values")
def test_onnx_quantizes_the_course_model(student, rng):
    """Export and quantize tiny-bert: 2.8 times smaller, the same first choice for 95 % of the rows, KL below 0.004."""
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


@pytest.mark.task("4.8", item="extremes")
def test_gptq_silent_channel(student, rng):
    """A channel that is always 0 has no curvature: the result is finite, and as good as before elsewhere."""
    weight, x = 0.05 * torch.randn(32, 64, generator=rng), correlated_inputs(256, 64, rng)
    x[:, 5] = 0
    check_gptq(student.gptq_quantize(weight, x, bits=4, group_size=32), weight, 4, 32, x)


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
