"""Public tests of exercise 03: small examples to follow by hand, and the course's own models.

`student.f(x)` calls the student's f; `student.remote.f(x)` makes layers and models at the student's end; `rng` is
seeded
by the assignment. Core tests are about right values on ordinary data; edge tests pay when all core tests pass.
"""

import math
from functools import partial
from pathlib import Path

import pytest
import torch

from autograder.lab import models
from autograder.lab.rescaling.query_key_rows import with_uneven_rows
from autograder.testing import artifacts, expect

DATASETS = Path(__file__).parent.parent.parent / "datasets"
SMALLEST = 3.3  # the quantized file must be that many times smaller
PERPLEXITY = 1.05  # the perplexity may be that many times as large
MOST_KL = {"tiny-gpt2": 1.5e-2, "tiny-llama": 2.2e-2}  # nats; the reference's are 0.9e-2 and 1.4e-2

TIED = {
    "vocab_size": 1536,
    "n_embd": 128,
    "n_layer": 1,
    "n_head": 2,
    "n_positions": 16,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def on_grid(shape, steps, rng):
    """(x float32, codes int64): x lies well within the code's step, and each last dimension reaches ±127."""
    codes = torch.randint(-126, 127, shape, generator=rng)
    sign = torch.randint(0, 2, shape[:-1], generator=rng) * 2 - 1
    at = torch.randint(0, shape[-1], shape[:-1], generator=rng).unsqueeze(-1)
    offsets = (torch.rand(shape, generator=rng) - 0.5) * 0.7
    codes = codes.scatter(-1, at, 127 * sign.unsqueeze(-1))
    return (codes + offsets.scatter(-1, at, 0.0)) * steps, codes


def rounded(x, dim):
    """x in float64, rounded to 255 levels with one scale for each place that is left when `dim` is reduced."""
    x = x.double()
    scale = (x.abs().amax(dim=dim, keepdim=True) if dim is not None else x.abs().amax()) / 127
    return torch.round(x / scale) * scale


def layer_output(x, weight, bias=None):
    """x @ weightᵀ + bias in float64, weight [out, in]."""
    y = x.double() @ weight.double().T
    return y if bias is None else y + bias.double()


def wrong_outputs(x, weight, bias=None):
    """What wrong layers give, by what to say of them."""
    tokens, rows = rounded(x, -1), rounded(weight, 1)
    return {
        "equals the float layer's: nothing was quantized": layer_output(x, weight, bias),
        "leaves the input in float; quantize it, too": layer_output(x, rows, bias),
        "leaves the weight in float": layer_output(tokens, weight, bias),
        "has one scale for all tokens; each token has its own": layer_output(rounded(x, None), rows, bias),
        "has one scale for the whole weight; each output channel has its own": (
            layer_output(tokens, rounded(weight, None), bias)
        ),
        "has one weight scale an input channel; each output channel has its own": (
            layer_output(tokens, rounded(weight, 0), bias)
        ),
        "lacks the bias": layer_output(tokens, rows),
    }


def check_output(found, x, weight, bias=None):
    """What a dynamic layer gives for x [..., in]: both sides rounded, weight [out, in]; tokens on their own."""
    found = expect.tensor(found, "the output", shape=(*x.shape[:-1], len(weight)))
    tokens, rows = rounded(x, -1), rounded(weight, 1)
    size = layer_output(tokens.abs(), rows.abs(), None if bias is None else bias.abs()) + 1e-12
    lookalikes = {words: wrong / size for words, wrong in wrong_outputs(x, weight, bias).items()}
    want = layer_output(tokens, rows, bias) / size
    expect.close(found.double() / size, want, "the output", rtol=0.0, atol=1e-5, lookalikes=lookalikes)


def check_stored(student, layer, elements):
    """One int8 tensor holds the weight, and nothing holds a float copy of it."""
    state = student.remote.state_dict(layer)
    stored = [value for value in state.values() if value.dtype == torch.int8 and value.numel() == elements]
    expect.that(len(stored) == 1, "the state_dict does not hold the weight as one int8 tensor of out · in elements")
    floats = sum(size for dtype, size in student.remote.held(layer).items() if "float" in dtype)
    expect.that(floats < elements, "the layer holds a float copy of the weight: nothing is saved")


def kl(original, logits):
    """KL(original ‖ logits) in nats, the mean over all tokens of all batches."""
    rows = [(a.double().log_softmax(-1), b.double().log_softmax(-1)) for a, b in zip(original, logits, strict=True)]
    return float(torch.cat([(p.exp() * (p - q)).sum(-1).flatten() for p, q in rows]).mean())


def perplexity_of(logits, batches):
    """exp of the mean next-token loss over all predicted tokens."""
    losses = []
    for scores, batch in zip(logits, batches, strict=True):
        chosen = scores[:, :-1].double().log_softmax(-1).gather(-1, batch["input_ids"][:, 1:, None])
        losses.append(-chosen.flatten())
    return math.exp(float(torch.cat(losses).mean()))


def check_size(state, memory, described):
    """The file that a quantized model makes against the float one's."""
    ratio = artifacts.file_bytes(described["state"]) / artifacts.file_bytes(state, memory)
    words = (
        f"the file is not {SMALLEST} times smaller than the float model's: "
        "a layer may be left in float, or what is tied be stored twice"
    )
    expect.that(ratio >= SMALLEST, words, f"{ratio:.2f} times")


def check_logits(found, original, batches):
    """Logits of a quantized model, for `batches`: shapes, and no NaN."""
    expect.that(len(found) == len(batches), "the model gave another number of outputs")
    for got, want in zip(found, original, strict=True):
        scores = expect.tensor(got, "the model's logits", shape=want.shape)
        expect.that(bool(torch.isfinite(scores).all()), "the model's logits hold NaN or infinity")


def check_model(student, name, rng):
    """quantize_model_dynamic on a course model with outliers: size and outputs."""
    datasets = DATASETS if DATASETS.is_dir() else None
    model = with_uneven_rows(models.load_model(name, outliers=True, folder=datasets))
    described = models.spec(model)
    batches = models.batches(models.load_batches(name, "evaluation", folder=datasets), 2, 16, rng)
    quantized = student.quantize_model_dynamic(student.remote.model(**described))
    check_size(student.remote.state_dict(quantized), student.remote.shared(quantized), described)
    with torch.no_grad():
        original = [model(**batch).logits for batch in batches]
    found = student.remote.logits(quantized, batches)
    check_logits(found, original, batches)
    lost = kl(original, found)
    words = "the outputs are too far from the float model's (KL)"
    expect.that(lost <= MOST_KL[name], words, f"{lost:.2e}, at most {MOST_KL[name]:.2e}")
    ratio = perplexity_of(found, batches) / perplexity_of(original, batches)
    expect.that(ratio <= PERPLEXITY, f"the perplexity is more than {PERPLEXITY} times as large", f"{ratio:.3f}")


def check_times(found, calls, warmup, repeats):
    """The three times of a benchmark, against what the model itself took, call by call."""
    expect.that(type(found) is dict, "returned no dict; expected median_s, p10_s and p90_s")
    for key in ("median_s", "p10_s", "p90_s"):
        expect.that(key in found, f"the key {key} is missing")
    p10, median, p90 = (expect.number(found[key], key) for key in ("p10_s", "median_s", "p90_s"))
    words = f"the model was not called warmup + repeats times, here {warmup} + {repeats}"
    expect.that(len(calls) == warmup + repeats, words, f"{len(calls)} calls")
    values = f"{p10:.4g}, {median:.4g}, {p90:.4g}"
    expect.that(0 < p10 <= median <= p90, "not in order: expected 0 < p10_s ≤ median_s ≤ p90_s", values)
    return p10, median, p90


# ------------------------------------------------------------------ 3.1 dynamic_quantize


@pytest.mark.task("3.1", item="values")
def test_per_token_by_hand(student):
    """Two tokens, ±1.27 and ±0.00254, get the steps 0.01 and 0.00002: both use all levels."""
    x = torch.tensor([[[1.27, -0.507, 0.334], [0.00254, 0.001, -0.002]]])
    q, scale = expect.results(student.dynamic_quantize(x), "q", "scale")
    scale = expect.symmetric_scale(scale, torch.tensor([[[1.27], [0.00254]]]), bits=8)
    expect.codes(q, x, scale)  # [[[127, -51, 33], [127, 50, -100]]]


@pytest.mark.task("3.1", item="values")
def test_per_tensor_by_hand(student):
    """The same two tokens with one step of 0.01 for both: the second one is rounded to nothing."""
    x = torch.tensor([[[1.27, -0.507, 0.334], [0.00254, 0.001, -0.002]]])
    found = student.dynamic_quantize(x, granularity="per_tensor")
    q, scale = expect.results(found, "q", "scale")
    scale = expect.symmetric_scale(scale, torch.tensor(1.27), bits=8)
    expect.codes(q, x, scale)  # [[[127, -51, 33], [0, 0, 0]]]


@pytest.mark.task("3.1", item="values")
def test_per_token_follows_bits(student, rng):
    """`bits` sets the levels: ±127, ±7, ±1; the largest magnitude may be negative."""
    x = torch.rand((2, 3, 7), generator=rng) - 0.4
    x[..., 2] = torch.tensor([[-2.0, -0.7, -31.0], [-1.5, -0.9, -5.0]])
    for bits in (8, 4, 2):
        q, scale = expect.results(student.dynamic_quantize(x, bits=bits), "q", "scale")
        expect.codes(q, x, expect.symmetric_scale(scale, x[..., 2:3].abs(), bits), bits=bits)


@pytest.mark.task("3.1", item="extremes")
def test_zero_token(student):
    """A token of zeros gets a usable scale (finite, positive) and codes 0; its neighbour keeps its own."""
    x = torch.tensor([[0.0, 0.0, 0.0], [1.27, -0.507, 0.334]])
    q, scale = expect.results(student.dynamic_quantize(x), "q", "scale")
    scale = expect.usable_scale(scale, shape=(2, 1))
    expect.close(scale[1], torch.tensor([0.01]), "scale of the other token")
    expect.codes(q, x, scale)


@pytest.mark.task("3.1", item="errors")
def test_refuses_other_arguments(student):
    """`bits` outside 2…8, or a granularity that is neither of the two, is a ValueError."""
    x = torch.tensor([[1.0, -2.0]])
    for bits in (0, 1, 9, 16, 4.5):
        expect.raises(ValueError, partial(student.dynamic_quantize, x, bits=bits), because=f"bits was {bits}")
    call = partial(student.dynamic_quantize, x, granularity="per_channel")
    expect.raises(ValueError, call, because='granularity was "per_channel"')


# ------------------------------------------------------------------ 3.2 DynamicQuantizedLinear


@pytest.mark.task("3.2", item="values")
def test_linear_by_hand(student):
    """Codes [127, −51] times [127, 51] are 13,528; times 0.01 · 0.002, plus the bias 1, is 1.27056."""
    weight, bias = torch.tensor([[0.254, 0.1013], [-1.27, 0.9043]]), torch.tensor([1.0, 0.0])
    layer = student.DynamicQuantizedLinear.from_float(student.remote.linear(weight, bias))
    x = torch.tensor([[1.27, -0.507]])
    found = expect.tensor(student.remote.output(layer, x), "the output", shape=(1, 2))
    lookalikes = wrong_outputs(x, weight, bias)
    expect.close(found, torch.tensor([[1.27056, -2.0719]]), "the output", lookalikes=lookalikes)


@pytest.mark.task("3.2", item="values")
def test_linear_tokens_on_their_own(student, rng):
    """Each token is quantized with its own scale, each output channel with its own, in 2 texts of 5 tokens."""
    x, _ = on_grid((2, 5, 24), torch.tensor([0.01, 3.0, 0.2, 40.0, 0.003]).reshape(1, 5, 1), rng)
    weight, _ = on_grid((6, 24), torch.tensor([0.01, 0.3, 0.002, 0.05, 1.0, 0.02]).reshape(6, 1), rng)
    bias = torch.randn(6, generator=rng)
    layer = student.DynamicQuantizedLinear.from_float(student.remote.linear(weight, bias))
    check_output(student.remote.output(layer, x), x, weight, bias)
    check_stored(student, layer, weight.numel())


@pytest.mark.task("3.2", item="values")
def test_conv1d(student, rng):
    """GPT-2's Conv1D stores [in, out]: its output channels are columns."""
    x, _ = on_grid((2, 3, 24), torch.tensor([0.01, 3.0, 0.2]).reshape(1, 3, 1), rng)
    weight, _ = on_grid((6, 24), torch.tensor([0.01, 0.3, 0.002, 0.05, 1.0, 0.02]).reshape(6, 1), rng)
    bias = torch.randn(6, generator=rng)
    layer = student.DynamicQuantizedLinear.from_float(student.remote.conv1d(weight.T.contiguous(), bias))
    check_output(student.remote.output(layer, x), x, weight, bias)
    check_stored(student, layer, weight.numel())


@pytest.mark.task("3.2", item="values")
def test_linear_without_bias(student, rng):
    """A layer may have no bias, as all of Llama's."""
    x, _ = on_grid((3, 16), 0.02, rng)
    weight, _ = on_grid((4, 16), 0.1, rng)
    layer = student.DynamicQuantizedLinear.from_float(student.remote.linear(weight))
    check_output(student.remote.output(layer, x), x, weight)


@pytest.mark.task("3.2", item="values")
def test_linear_state_is_complete(student, rng):
    """Loaded into the layer of another weight, the state_dict makes it the same layer: nothing else is used."""
    weights = [on_grid((4, 16), step, rng)[0] for step in (0.1, 0.7)]
    one, other = (student.DynamicQuantizedLinear.from_float(student.remote.linear(w, w[:, 0])) for w in weights)
    student.remote.load_state_dict(other, student.remote.state_dict(one))
    x, _ = on_grid((3, 16), 0.02, rng)
    check_output(student.remote.output(other, x), x, weights[0], weights[0][:, 0])


# ------------------------------------------------------------------ 3.3 quantize_model_dynamic


@pytest.mark.task("3.3", item="values")
def test_gpt2(student, rng):
    """A GPT-2 with outlier channels and uneven rows of weights: 3.3 times smaller, and hardly another model."""
    check_model(student, "tiny-gpt2", rng)


@pytest.mark.task("3.3", item="values")
def test_llama(student, rng):
    """A Llama with outlier channels and uneven rows of weights: 3.3 times smaller, and hardly another model."""
    check_model(student, "tiny-llama", rng)


@pytest.mark.task("3.3", item="artifact")
def test_tied_head_is_stored_once(student):
    """GPT-2's head and embedding are one weight; here they are most of the model, so stored twice it is too large."""
    model = student.remote.model("GPT2LMHeadModel", TIED)
    described = {"state": {n: v for n, v in student.remote.state_dict(model).items() if n != "lm_head.weight"}}
    quantized = student.quantize_model_dynamic(model)
    check_size(student.remote.state_dict(quantized), student.remote.shared(quantized), described)


@pytest.mark.task("3.3", item="state")
def test_model_is_left_as_it_was(student):
    """The model that is handed over keeps its weights, its layers and its mode."""
    model = student.remote.model("GPT2LMHeadModel", TIED)
    before = student.remote.condition(model)
    student.quantize_model_dynamic(model)
    expect.that(student.remote.condition(model) == before, "the model that was handed over is changed; work on a copy")


@pytest.mark.task("3.3", item="artifact")
def test_state_fits_an_untrained_model(student):
    """A new process quantizes an untrained model, loads the state_dict, and predicts the same."""
    batch = {"input_ids": torch.arange(32).reshape(2, 16)}
    trained = {name: value * 2 for name, value in _state(student).items()}
    quantized = student.quantize_model_dynamic(student.remote.model("GPT2LMHeadModel", TIED, trained))
    state, (want,) = student.remote.state_dict(quantized), student.remote.logits(quantized, [batch])
    student.fresh()
    skeleton = student.quantize_model_dynamic(student.remote.model("GPT2LMHeadModel", TIED))
    student.remote.load_state_dict(skeleton, state)
    (found,) = student.remote.logits(skeleton, [batch])
    found = expect.tensor(found, "the logits", shape=want.shape)
    expect.close(found, want, "the logits of the loaded model", rtol=1e-4, atol=1e-5 * float(want.abs().max()))


def _state(student):
    state = student.remote.state_dict(student.remote.model("GPT2LMHeadModel", TIED))
    return {name: value for name, value in state.items() if name != "lm_head.weight"}


# ------------------------------------------------------------------ 3.4 perplexity


@pytest.mark.task("3.4", item="values")
def test_perplexity_by_hand(student):
    """After token 0 the next is 0 with probability ½; after 1 it is 1 with ¼: losses ln 2 and ln 4."""
    table = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.2, 0.3, 0.5]]).log()
    model = student.remote.probe(table)
    batches = [{"input_ids": torch.tensor([[0, 0, 0, 0, 0]])}, {"input_ids": torch.tensor([[1, 1]])}]
    found = expect.number(student.perplexity(model, batches), "the perplexity")
    mean = (4 * math.log(2) + math.log(4)) / 5
    lookalikes = {
        "weighs every batch alike; weigh every predicted token alike": math.exp((math.log(2) + math.log(4)) / 2),
        "is the mean of the batches' perplexities": (2 + 4) / 2,
        "counts the tokens, not the predictions": math.exp((4 * math.log(2) + math.log(4)) / 7),
        "is the mean loss; take its exponential": mean,
        "is 2 to the loss in nats": 2**mean,
    }
    expect.close(found, math.exp(mean), "the perplexity", rtol=1e-4, lookalikes=lookalikes)


@pytest.mark.task("3.4", item="values")
def test_perplexity_shifts_by_one(student, rng):
    """The logits at one place predict the next token, and each text is on its own."""
    table = torch.randn((9, 9), generator=rng) * 2
    batches = [{"input_ids": torch.randint(0, 9, shape, generator=rng)} for shape in ((3, 7), (2, 4))]
    found = expect.number(student.perplexity(student.remote.probe(table), batches), "the perplexity")
    logits = [table[batch["input_ids"]] for batch in batches]
    own, before = (
        torch.cat(
            [_losses(scores[:, a], batch["input_ids"][:, b]) for scores, batch in zip(logits, batches, strict=True)]
        )
        .mean()
        .exp()
        for a, b in ((slice(None), slice(None)), (slice(1, None), slice(None, -1)))
    )
    lookalikes = {
        "compares the logits of a place with the token at that place; they predict the next one": own,
        "compares with the token before; the logits predict the next one": before,
    }
    expect.close(found, perplexity_of(logits, batches), "the perplexity", rtol=1e-4, lookalikes=lookalikes)


def _losses(logits, tokens):
    return -logits.double().log_softmax(-1).gather(-1, tokens[..., None]).flatten()


@pytest.mark.task("3.4", item="state")
def test_perplexity_in_eval_mode(student):
    """The model is evaluated in eval mode without gradients, and is in training mode again afterwards."""
    table = torch.tensor([[2.0, 0.0], [0.5, 1.0]])
    model = student.remote.probe(table, dropout=0.5)
    student.remote.set_training(model, True)
    before = student.remote.condition(model)
    student.perplexity(model, [{"input_ids": torch.tensor([[0, 1, 1, 0]])}])
    calls = student.remote.noted(model)
    expect.that(not any(call["training"] for call in calls), "the model was in training mode: dropout acted")
    expect.that(not any(call["grad"] for call in calls), "gradients were computed")
    expect.that(student.remote.condition(model) == before, "the model is not in the mode in which it came")


# ------------------------------------------------------------------ 3.5 benchmark_inference


@pytest.mark.task("3.5", item="values")
def test_benchmark_counts_calls(student):
    """warmup + repeats calls, by default 3 + 10; the times are in order."""
    inputs = {"input_ids": torch.tensor([[0, 1, 1]])}
    for given, warmup, repeats in (({}, 3, 10), ({"warmup": 1, "repeats": 4}, 1, 4)):
        model = student.remote.probe(torch.eye(2))
        found = student.benchmark_inference(model, inputs, **given)
        check_times(found, student.remote.noted(model), warmup, repeats)


@pytest.mark.task("3.5", item="values")
def test_benchmark_knows_the_median(student):
    """A model that takes 0.01 s six times in ten and 0.2 s otherwise: the median is 0.01 s, the mean isn't."""
    seconds = [0.2, 0.2, 0.01, 0.2, 0.01, 0.01, 0.2, 0.01, 0.01, 0.01]
    model = student.remote.probe(torch.eye(2), seconds=[0.3, *seconds])
    inputs = {"input_ids": torch.tensor([[0, 1, 1]])}
    found = student.benchmark_inference(model, inputs, warmup=1, repeats=10)
    calls = student.remote.noted(model)
    p10, median, p90 = check_times(found, calls, 1, 10)
    taken = sorted(call["seconds"] for call in calls[1:])
    check_quantile(p10, "p10_s", taken[0], taken[1])
    check_quantile(median, "median_s", taken[4], taken[5])
    check_quantile(p90, "p90_s", taken[8], taken[9])


def check_quantile(found, name, lowest, highest):
    """A quantile of the calls' times, whichever way it interpolates; 0.03 s for what surrounds a call."""
    values = f"{found:.4g} s, expected {lowest:.4g} to {highest:.4g} s"
    expect.that(found >= 0.95 * lowest, f"{name} is less than that share of the calls took", values)
    expect.that(found <= highest + 0.03, f"{name} is more than that share of the calls took", values)


@pytest.mark.task("3.5", item="state")
def test_benchmark_in_eval_mode(student):
    """All calls, warm-up too, are in eval mode without gradients; the model's mode and inputs stay."""
    model = student.remote.probe(torch.eye(2), dropout=0.5)
    student.remote.set_training(model, True)
    before = student.remote.condition(model)
    student.benchmark_inference(model, {"input_ids": torch.tensor([[0, 1, 1]])}, warmup=1, repeats=2)
    expect.inputs_unchanged(student)
    calls = student.remote.noted(model)
    expect.that(not any(call["training"] for call in calls), "the model was in training mode")
    expect.that(not any(call["grad"] for call in calls), "gradients were computed")
    expect.that(student.remote.condition(model) == before, "the model is not in the mode in which it came")


@pytest.mark.task("3.5", item="values")
def test_benchmark_waits_for_the_device(student):
    """A GPU's call returns before its work is done: whoever times it waits for the device after each timed call."""
    # The GPU is pretended: tensors say that they lie on cuda:0, and torch.cuda and torch.accelerator answer as if one
    # were
    # there. What it can't do is not held against anybody.
    model = student.remote.probe(torch.eye(2))
    student.remote.cuda_begins(model)
    try:
        batch = {"input_ids": student.remote.on_cuda(torch.tensor([[0, 1, 1]]))}
        student.benchmark_inference(model, batch, warmup=1, repeats=3)
    except NotImplementedError:
        raise
    except (RuntimeError, TypeError, AttributeError, ValueError):
        return
    finally:
        student.remote.cuda_ends()
    calls = student.remote.noted(model)
    expect.that(
        len(calls) == 4, "on a GPU, the model was not called warmup + repeats times", f"{len(calls)} calls, expected 4"
    )
    expect.that(
        all(call["waited"] for call in calls[1:]),
        "on a GPU, the clock was read while the device still worked: wait for it before you look"
        " (torch.cuda.synchronize(), where the model or its inputs lie on one)",
    )
