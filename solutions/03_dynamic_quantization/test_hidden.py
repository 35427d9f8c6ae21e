"""Hidden tests of exercise 03: other shapes and ranges, and models of a training seed that never ships.

Docstrings are what a student reads of a hidden test, so they carry no values.
"""

import math
from functools import partial
from pathlib import Path

import pytest
import torch

from autograder.lab import models
from autograder.lab.rescaling.query_key_rows import with_uneven_rows
from autograder.testing import artifacts, expect

HELD_BACK = Path(__file__).parent.parent / "held_back"
SMALLEST = 3.3  # the quantized file must be that many times smaller
PERPLEXITY = 1.05  # the perplexity may be that many times as large
OF_REFERENCE = 1.5  # the output KL may be that many times the reference's

TIED_GPT2 = {
    "vocab_size": 2048,
    "n_embd": 128,
    "n_layer": 1,
    "n_head": 4,
    "n_positions": 16,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
TIED_LLAMA = {
    "vocab_size": 2048,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "max_position_embeddings": 16,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
}

WIDTH = (
    128  # no matrix of these two has fewer elements than WIDTH², and all scales, biases and norms together far fewer
)
SQUARE = (
    (
        "GPT2LMHeadModel",
        {
            "vocab_size": WIDTH,
            "n_embd": WIDTH,
            "n_layer": 1,
            "n_head": 4,
            "n_positions": WIDTH,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    (
        "LlamaForCausalLM",
        {
            "vocab_size": WIDTH,
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "max_position_embeddings": 16,
            "tie_word_embeddings": False,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
)


def on_grid(shape, steps, rng):
    """(x float32, codes int64): x lies well within the code's step, and each last dimension reaches ±127."""
    codes = torch.randint(-126, 127, shape, generator=rng)
    sign = torch.randint(0, 2, shape[:-1], generator=rng) * 2 - 1
    at = torch.randint(0, shape[-1], shape[:-1], generator=rng).unsqueeze(-1)
    offsets = (torch.rand(shape, generator=rng) - 0.5) * 0.7
    codes = codes.scatter(-1, at, 127 * sign.unsqueeze(-1))
    return (codes + offsets.scatter(-1, at, 0.0)) * steps, codes


def rounded(x, dim, floor=0.0):
    """x in float64, rounded to 255 levels with one scale, not below `floor`, for each place left when `dim` is
    reduced.
    """
    x = x.double()
    scale = (x.abs().amax(dim=dim, keepdim=True) if dim is not None else x.abs().amax()) / 127
    scale = scale.clamp(min=floor)
    return torch.round(x / scale) * scale


def layer_output(x, weight, bias=None):
    """x @ weightᵀ + bias in float64, weight [out, in]."""
    y = x.double() @ weight.double().T
    return y if bias is None else y + bias.double()


def wrong_outputs(x, weight, bias=None):
    """What wrong layers give, by what to say of them."""
    tokens, rows = rounded(x, -1), rounded(weight, 1)
    floors = {}
    for floor in expect.FLOORS:
        words = f"comes from scales that stop at {floor:.3g}: those of small"
        floors[f"{words} weights are smaller"] = layer_output(tokens, rounded(weight, 1, floor), bias)
        floors[f"{words} activations are smaller"] = layer_output(rounded(x, -1, floor), rows, bias)
        floors[f"{words} values are smaller"] = layer_output(rounded(x, -1, floor), rounded(weight, 1, floor), bias)
    return {
        **floors,
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


def timed(student, model, inputs, seconds, **options):
    """What `benchmark_inference` found, and the model's notes, which must be of calls that took the time that it takes.

    Notes are made where the student's code runs. How long all of it took is seen here.
    """
    with student.measuring():
        found = student.benchmark_inference(model, inputs, **options)
    taken = student.last_call.seconds
    calls = student.remote.noted(model)
    words = "the model was not called as often, or not from beginning to end"
    expect.that(taken >= sum(seconds), words)
    expect.that(all(call["seconds"] >= least for call, least in zip(calls, seconds, strict=False)), words)
    return found, calls


def check_quantile(found, name, lowest, highest):
    """A quantile of the calls' times, whichever way it interpolates; 0.03 s for what surrounds a call."""
    values = f"{found:.4g} s, expected {lowest:.4g} to {highest:.4g} s"
    expect.that(found >= 0.95 * lowest, f"{name} is less than that share of the calls took", values)
    expect.that(found <= highest + 0.03, f"{name} is more than that share of the calls took", values)


def largest(x, granularity):
    """The largest |x|, of each vector of the last dimension or of everything, in float32."""
    x = x.float().abs()
    return x.amax(dim=-1, keepdim=True) if granularity == "per_token" else x.amax()


def check_dynamic(found, x, bits, granularity):
    """(q, scale) of dynamic_quantize."""
    q, scale = expect.results(found, "q", "scale")
    expect.codes(q, x.float(), expect.symmetric_scale(scale, largest(x, granularity), bits), bits=bits)


def tokens(shape, rng):
    """Activations whose tokens have ranges from a hundredth to a hundred."""
    x = torch.rand(shape, generator=rng) * 2 - 1.1
    x[..., 1] = -1.13
    return x * 10 ** (torch.rand((*shape[:-1], 1), generator=rng) * 4 - 2)


# ------------------------------------------------------------------ 3.1 dynamic_quantize


@pytest.mark.task("3.1", item="values")
def test_per_token_any_shape(student, rng):
    """One scale for each vector of the last dimension, whatever the dimensions before it, at any number of bits."""
    for bits, shape in zip(range(2, 9), ((11,), (4, 9), (2, 3, 9), (2, 2, 3, 9)) * 2, strict=False):
        x = tokens(shape, rng)
        check_dynamic(student.dynamic_quantize(x, bits=bits), x, bits, "per_token")


@pytest.mark.task("3.1", item="values")
def test_per_tensor_any_shape(student, rng):
    """One scale for everything, whatever the shape, at any number of bits."""
    for bits, shape in zip(range(2, 9), ((11,), (4, 9), (2, 3, 9), (2, 2, 3, 9)) * 2, strict=False):
        x = tokens(shape, rng)
        check_dynamic(student.dynamic_quantize(x, bits=bits, granularity="per_tensor"), x, bits, "per_tensor")


@pytest.mark.task("3.1", item="extremes")
def test_all_zero_tensor(student):
    """Zeros everywhere get usable scales and codes 0, in both granularities."""
    x = torch.zeros(2, 3, 5)
    for granularity, shape in (("per_token", (2, 3, 1)), ("per_tensor", ())):
        q, scale = expect.results(student.dynamic_quantize(x, granularity=granularity), "q", "scale")
        expect.codes(q, x, expect.usable_scale(scale, shape=shape))


@pytest.mark.task("3.1", item="inputs")
def test_dynamic_precision(student, rng):
    """Half-precision activations are quantized in float32 arithmetic, and small ones as finely as any other."""
    x = torch.rand((16, 64), generator=rng) * 0.12 - 0.06
    x[:, 3] = 0.0661
    for data in (x.to(torch.float16), x.to(torch.bfloat16), x * 6e-4):
        for granularity in ("per_token", "per_tensor"):
            check_dynamic(student.dynamic_quantize(data, granularity=granularity), data, 8, granularity)


@pytest.mark.task("3.1", item="errors")
def test_dynamic_refuses_other_arguments(student):
    """A number of bits or a granularity that there isn't is a ValueError."""
    x = torch.tensor([[1.0, -2.0]])
    for granularity in ("per_tensor", "per_token"):
        for bits in (0, 1, 9, -8, 2.5):
            call = partial(student.dynamic_quantize, x, bits=bits, granularity=granularity)
            expect.raises(ValueError, call, because=f"bits was {bits}")
    for other in ("per_row", "token", "", None):
        call = partial(student.dynamic_quantize, x, granularity=other)
        expect.raises(ValueError, call, because="the granularity was neither per_token nor per_tensor")


@pytest.mark.task("3.1", item="state")
def test_dynamic_leaves_its_input(student, rng):
    """The activations are not modified."""
    for granularity in ("per_token", "per_tensor"):
        student.dynamic_quantize(tokens((3, 6), rng), granularity=granularity)
        expect.inputs_unchanged(student)


@pytest.mark.task("3.1", item="inputs")
def test_dynamic_on_device(student, rng, device):
    """The work is done, and the results live, where the data lives, without a step for each element or token."""
    x = tokens((8, 64, 4), rng)
    on = x.to(device)
    for granularity in ("per_token", "per_tensor"):
        found = expect.device_call(student.dynamic_quantize, on, granularity=granularity)
        q, scale = expect.results(found, "q", "scale")
        expect.on_device(student, on, q=q, scale=scale)
        check_dynamic((q, scale), x, 8, granularity)


# ------------------------------------------------------------------ 3.2 DynamicQuantizedLinear

STEPS = torch.tensor([0.01, 3.0, 0.2, 40.0, 0.003])  # of tokens
ROWS = torch.tensor([0.01, 0.3, 0.002, 0.05, 1.0, 0.02, 0.004])  # of output channels


def made(student, kind, rng, width, bias=True, times=1.0):
    """(layer, weight [out, in], bias) of the student's class, from an nn.Linear or a Conv1D."""
    weight, _ = on_grid((len(ROWS), width), ROWS[:, None] * times, rng)
    added = torch.randn(len(ROWS), generator=rng) * 5 if bias else None
    handle = (
        student.remote.linear(weight, added)
        if kind == "linear"
        else student.remote.conv1d(weight.T.contiguous(), added)
    )
    return student.DynamicQuantizedLinear.from_float(handle), weight, added


@pytest.mark.task("3.2", item="values")
def test_layers_any_shape(student, rng):
    """Both kinds of layer, for inputs with any number of dimensions before the last one."""
    for kind in ("linear", "conv1d"):
        layer, weight, bias = made(student, kind, rng, 40)
        for shape in ((40,), (5, 40), (3, 5, 40), (2, 2, 5, 40)):
            x, _ = on_grid(shape, STEPS[:, None] if len(shape) > 1 else 0.02, rng)
            check_output(student.remote.output(layer, x), x, weight, bias)


@pytest.mark.task("3.2", item="values")
def test_square_layers(student, rng):
    """A square weight tells nothing by its shape: the kind of the layer says which axis is the output."""
    weight, _ = on_grid((16, 16), torch.logspace(-2, 1, 16)[:, None], rng)
    x, _ = on_grid((5, 16), STEPS[:, None], rng)
    for handle in (student.remote.linear(weight), student.remote.conv1d(weight.T.contiguous())):
        layer = student.DynamicQuantizedLinear.from_float(handle)
        check_output(student.remote.output(layer, x), x, weight)


@pytest.mark.task("3.2", item="values")
def test_token_in_other_company(student, rng):
    """A token's output is the same next to other tokens, however large those are."""
    layer, weight, bias = made(student, "linear", rng, 40)
    x, _ = on_grid((1, 4, 40), STEPS[:4, None], rng)
    others = x.clone()
    others[0, 1:] *= 1000
    for data in (x, others, x[:, :1]):
        check_output(student.remote.output(layer, data)[:, :1], x[:, :1], weight, bias)


@pytest.mark.task("3.2", item="values")
def test_layers_store_integers(student, rng):
    """The weight is one int8 tensor, and no float copy of it is held anywhere."""
    for kind in ("linear", "conv1d"):
        layer, weight, _ = made(student, kind, rng, 320)
        check_stored(student, layer, weight.numel())


@pytest.mark.task("3.2", item="values")
def test_wide_layer_without_bias(student, rng):
    """Without a bias, and with many inputs: large sums of integers lose nothing."""
    layer, weight, _ = made(student, "linear", rng, 3000, bias=False)
    x, _ = on_grid((5, 3000), STEPS[:, None], rng)
    check_output(student.remote.output(layer, x), x, weight)


@pytest.mark.task("3.2", item="inputs")
def test_layers_of_small_values(student, rng):
    """Small weights and small tokens are quantized as finely as any others: no floor under a scale that they reach."""
    steps = torch.tensor([2.4e-6, 0.3, 1.3e-6, 2e-4, 5e-6])[:, None]
    for make in (student.remote.linear, lambda weight: student.remote.conv1d(weight.T.contiguous())):
        (weight, _), (x, _) = on_grid((5, 24), steps, rng), on_grid((5, 24), steps.flip(0), rng)
        layer = student.DynamicQuantizedLinear.from_float(make(weight))
        check_output(student.remote.output(layer, x), x, weight)


@pytest.mark.task("3.2", item="extremes")
def test_zero_tokens_and_channels(student, rng):
    """A token of zeros gives the bias, and so does an output channel of zeros; the rest is not affected."""
    weight, _ = on_grid((5, 24), ROWS[:5, None], rng)
    x, _ = on_grid((4, 24), STEPS[:4, None], rng)
    weight[2], x[1] = 0.0, 0.0
    bias = torch.randn(5, generator=rng)
    layer = student.DynamicQuantizedLinear.from_float(student.remote.linear(weight, bias))
    found = expect.tensor(student.remote.output(layer, x), "the output", shape=(4, 5))
    expect.close(found[1], bias, "the output of the token of zeros", atol=1e-6)
    expect.close(found[:, 2], bias[2].expand(4), "the output of the channel of zeros", atol=1e-6)
    kept, rows = torch.tensor([0, 2, 3]), torch.tensor([0, 1, 3, 4])
    check_output(found[kept][:, rows], x[kept], weight[rows], bias[rows])


@pytest.mark.task("3.2", item="values")
def test_layers_state_is_complete(student, rng):
    """The state_dict carries all that a forward pass needs, for both kinds of layer."""
    for kind in ("linear", "conv1d"):
        (one, weight, bias), (other, *_) = (made(student, kind, rng, 40, times=t) for t in (1.0, 5.0))
        student.remote.load_state_dict(other, student.remote.state_dict(one))
        x, _ = on_grid((5, 40), STEPS[:, None], rng)
        check_output(student.remote.output(other, x), x, weight, bias)


@pytest.mark.task("3.2", item="state")
def test_float_layer_is_left_as_it_was(student, rng):
    """from_float does not touch the layer that it is given, nor does a forward pass touch its input."""
    weight, _ = on_grid((5, 24), 0.01, rng)
    for handle, width in ((student.remote.linear(weight, weight[:, 0]), 24), (student.remote.conv1d(weight), 5)):
        before = student.remote.condition(handle)
        layer = student.DynamicQuantizedLinear.from_float(handle)
        expect.that(student.remote.condition(handle) == before, "from_float changed the layer that it was given")
        layer(torch.randn((3, width), generator=rng))
        expect.inputs_unchanged(student)


@pytest.mark.task("3.2", item="inputs")
def test_layer_on_device(student, rng, device):
    """A layer made from one on a device works there, without a step for each element."""
    weight, _ = on_grid((16, 48), torch.logspace(-2, 1, 16)[:, None], rng)
    bias = torch.randn(16, generator=rng)
    x, _ = on_grid((5, 8, 48), STEPS[:, None, None], rng)
    on = x.to(device)
    handle = student.remote.linear(weight.to(device), bias.to(device))
    layer = expect.device_call(student.DynamicQuantizedLinear.from_float, handle)
    found = expect.device_call(layer, on)
    expect.on_device(student, on, the_output=found)
    check_output(found, x, weight, bias)


# ------------------------------------------------------------------ 3.3 quantize_model_dynamic


def held_back(name, rng):
    """(plain data of a model with outliers that no student has, the logits of the float model, batches)."""
    model = with_uneven_rows(models.load_model(name, outliers=True, folder=HELD_BACK))
    batches = models.batches(models.load_batches(name, "evaluation", folder=HELD_BACK), 2, 16, rng)
    with torch.no_grad():
        return models.spec(model), [model(**batch).logits for batch in batches], batches


def reference_kl(reference, described, original, batches):
    """The output KL of the reference solution."""
    quantized = reference.quantize_model_dynamic(reference.remote.model(**described))
    return kl(original, reference.remote.logits(quantized, batches))


def check_artifact(student, reference, once, name, rng):
    """The first process gets the model; a new one gets the file, the source and the data."""
    described, original, batches = once("float", lambda: held_back(name, rng))
    quantized = student.quantize_model_dynamic(student.remote.model(**described))
    state, memory = student.remote.state_dict(quantized), student.remote.shared(quantized)
    check_size(state, memory, described)
    student.fresh()
    loaded = student.quantize_model_dynamic(student.remote.model(**models.skeleton_spec(described)))
    student.remote.load_state_dict(loaded, state)
    found = student.remote.logits(loaded, batches)
    check_logits(found, original, batches)
    lost = kl(original, found)
    most = OF_REFERENCE * once("kl", lambda: reference_kl(reference, described, original, batches))
    words = f"the outputs are farther from the float model's (KL) than {OF_REFERENCE} times the reference's"
    expect.that(lost <= most, words, f"{lost:.2e}, at most {most:.2e}")
    ratio = perplexity_of(found, batches) / perplexity_of(original, batches)
    expect.that(ratio <= PERPLEXITY, f"the perplexity is more than {PERPLEXITY} times as large", f"{ratio:.3f}")


@pytest.mark.task("3.3", item="values")
def test_held_back_gpt2(student, reference, once, rng):
    """A GPT-2 that nobody has: its file is small, and a new process with this file predicts as the float model."""
    check_artifact(student, reference, once, "tiny-gpt2", rng)


@pytest.mark.task("3.3", item="values")
def test_held_back_llama(student, reference, once, rng):
    """A Llama that nobody has: its file is small, and a new process with this file predicts as the float model."""
    check_artifact(student, reference, once, "tiny-llama", rng)


@pytest.mark.task("3.3", item="artifact")
def test_tied_heads(student):
    """A tied head, of either architecture, shares the embedding's integers: the file holds them once."""
    for kind, config, head in (
        ("GPT2LMHeadModel", TIED_GPT2, "lm_head.weight"),
        ("LlamaForCausalLM", TIED_LLAMA, "lm_head.weight"),
    ):
        model = student.remote.model(kind, config)
        described = {"state": {n: v for n, v in student.remote.state_dict(model).items() if n != head}}
        quantized = student.quantize_model_dynamic(model)
        check_size(student.remote.state_dict(quantized), student.remote.shared(quantized), described)


@pytest.mark.task("3.3", item="artifact")
def test_every_layer_is_quantized(student):
    """Of every linear layer and every embedding, positions and the head too, only integers are stored."""
    for kind, config in SQUARE:
        state = student.remote.state_dict(student.quantize_model_dynamic(student.remote.model(kind, config)))
        floats = sum(value.numel() for value in state.values() if value.dtype.is_floating_point)
        words = (
            "more floats are stored than scales, biases and norms need: a linear layer or an embedding "
            "(of positions, too) may be left in float"
        )
        expect.that(floats < WIDTH * WIDTH, words, f"{floats} floats")


@pytest.mark.task("3.3", item="state")
def test_models_are_left_as_they_were(student):
    """The model that is handed over keeps its weights, layers, mode and ties; its copy can be changed freely."""
    for kind, config in (("GPT2LMHeadModel", TIED_GPT2), ("LlamaForCausalLM", TIED_LLAMA)):
        model = student.remote.model(kind, config)
        student.remote.set_training(model, True)
        before = student.remote.condition(model)
        student.quantize_model_dynamic(model)
        expect.that(
            student.remote.condition(model) == before, "the model that was handed over is changed; work on a copy"
        )


# ------------------------------------------------------------------ 3.4 perplexity


def uneven(vocabulary, rng):
    """Batches of several sizes and lengths."""
    shapes = ((3, 9), (1, 2), (5, 4), (2, 13))
    return [{"input_ids": torch.randint(0, vocabulary, shape, generator=rng)} for shape in shapes]


@pytest.mark.task("3.4", item="values")
def test_perplexity_of_uneven_batches(student, rng):
    """Every predicted token weighs the same, in batches of any size and length."""
    table, batches = torch.randn((11, 11), generator=rng) * 3, uneven(11, rng)
    found = expect.number(student.perplexity(student.remote.probe(table), batches), "the perplexity")
    means = [math.log(perplexity_of([table[b["input_ids"]]], [b])) for b in batches]
    lookalikes = {
        "weighs every batch alike; weigh every predicted token alike": math.exp(sum(means) / len(means)),
        "is the mean of the batches' perplexities": sum(map(math.exp, means)) / len(means),
    }
    want = perplexity_of([table[batch["input_ids"]] for batch in batches], batches)
    expect.close(found, want, "the perplexity", rtol=1e-4, lookalikes=lookalikes)


@pytest.mark.task("3.4", item="values")
def test_perplexity_of_a_transformer(student, rng):
    """It is that of the model's own logits."""
    model, batches = student.remote.model("GPT2LMHeadModel", TIED_GPT2), uneven(2048, rng)
    want = perplexity_of(student.remote.logits(model, batches), batches)
    found = expect.number(student.perplexity(model, batches), "the perplexity")
    expect.close(found, want, "the perplexity", rtol=1e-4)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_large_logits(student, rng):
    """Large logits, whose exponential overflows, and unlikely tokens, whose probability underflows, are no problem."""
    table, batches = torch.randn((7, 7), generator=rng), uneven(7, rng)
    mean = math.log(perplexity_of([100 * table[b["input_ids"]] for b in batches], batches))
    table = table * (100 * 60 / mean) + 500  # e^60 is a float32, the probability of the least likely token is not
    want = perplexity_of([table[b["input_ids"]] for b in batches], batches)
    found = expect.number(student.perplexity(student.remote.probe(table), batches), "the perplexity")
    expect.close(math.log(max(found, 1e-30)), math.log(want), "the logarithm of the perplexity", rtol=1e-4)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_half_logits(student, rng):
    """Half-precision logits are evaluated in float32."""
    batches = uneven(11, rng)
    for dtype in (torch.float16, torch.bfloat16):
        table = (torch.randn((11, 11), generator=rng) * 3).to(dtype)
        want = perplexity_of([table[batch["input_ids"]] for batch in batches], batches)
        found = expect.number(student.perplexity(student.remote.probe(table), batches), "the perplexity")
        expect.close(found, want, "the perplexity", rtol=1e-4)


@pytest.mark.task("3.4", item="state")
def test_perplexity_leaves_the_model(student, rng):
    """Eval mode and no gradients while it measures; afterwards model and batches are as they were, in either mode."""
    table, batches = torch.randn((5, 5), generator=rng), uneven(5, rng)
    for training in (True, False):
        model = student.remote.probe(table, dropout=0.5)
        student.remote.set_training(model, training)
        before = student.remote.condition(model)
        found = student.perplexity(model, batches)
        expect.inputs_unchanged(student)
        calls = student.remote.noted(model)
        expect.that(not any(call["training"] for call in calls), "the model was in training mode: dropout acted")
        expect.that(not any(call["grad"] for call in calls), "gradients were computed")
        expect.that(student.remote.condition(model) == before, "the model is not as it came")
        want = perplexity_of([table[batch["input_ids"]] for batch in batches], batches)
        expect.close(expect.number(found, "the perplexity"), want, "the perplexity", rtol=1e-4)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_on_device(student, rng, device):
    """A model and batches on a device are measured there."""
    table, batches = torch.randn((9, 9), generator=rng), uneven(9, rng)
    on = [{"input_ids": batch["input_ids"].to(device)} for batch in batches]
    found = expect.device_call(student.perplexity, student.remote.probe(table.to(device)), on)
    want = perplexity_of([table[batch["input_ids"]] for batch in batches], batches)
    expect.close(expect.number(found, "the perplexity"), want, "the perplexity", rtol=1e-4)


# ------------------------------------------------------------------ 3.5 benchmark_inference


@pytest.mark.task("3.5", item="values")
def test_benchmark_calls(student):
    """Exactly warmup + repeats calls with the whole batch, whatever the two numbers."""
    inputs = {"input_ids": torch.tensor([[0, 1, 1], [1, 0, 0]])}
    for warmup, repeats in ((0, 3), (2, 7), (5, 2)):
        seconds = [0.003] * (warmup + repeats)
        model = student.remote.probe(torch.eye(2), seconds=seconds)
        found, calls = timed(student, model, inputs, seconds, warmup=warmup, repeats=repeats)
        check_times(found, calls, warmup, repeats)
        expect.that(all(call["shape"] == [2, 3] for call in calls), "the model was not called with the batch as it is")


@pytest.mark.task("3.5", item="values")
def test_benchmark_leaves_out_the_warm_up(student, rng):
    """Slow first calls don't count, and the three numbers are quantiles of single calls, in seconds."""
    order = torch.randperm(10, generator=rng).tolist()
    seconds = [0.4, 0.4, *([0.15, 0.15, 0.15, 0.01, 0.01, 0.01, 0.01, 0.01, 0.05, 0.05][at] for at in order)]
    model = student.remote.probe(torch.eye(2), seconds=seconds)
    found, calls = timed(student, model, {"input_ids": torch.tensor([[0, 1]])}, seconds, warmup=2)
    p10, median, p90 = check_times(found, calls, 2, 10)
    taken = sorted(call["seconds"] for call in calls[2:])
    check_quantile(p10, "p10_s", taken[0], taken[1])
    check_quantile(median, "median_s", taken[4], taken[5])
    check_quantile(p90, "p90_s", taken[8], taken[9])


@pytest.mark.task("3.5", item="values")
def test_benchmark_leaves_out_a_tenth(student, rng):
    """One very fast and one very slow call of twenty-one are beyond p10 and p90, whichever way these interpolate."""
    order = torch.randperm(21, generator=rng).tolist()
    seconds = [0.03, *([0.002, *[0.03] * 19, 0.2][at] for at in order)]
    model = student.remote.probe(torch.eye(2), seconds=seconds)
    found, calls = timed(student, model, {"input_ids": torch.tensor([[0, 1]])}, seconds, warmup=1, repeats=21)
    p10, _, p90 = check_times(found, calls, 1, 21)
    taken = sorted(call["seconds"] for call in calls[1:])
    check_quantile(p10, "p10_s", taken[1], taken[3])
    check_quantile(p90, "p90_s", taken[17], taken[19])


@pytest.mark.task("3.5", item="state")
def test_benchmark_leaves_the_model(student):
    """Eval mode and no gradients in every call; afterwards the model is as it was, in either mode."""
    for training in (True, False):
        model = student.remote.probe(torch.eye(2), dropout=0.5)
        student.remote.set_training(model, training)
        before = student.remote.condition(model)
        student.benchmark_inference(model, {"input_ids": torch.tensor([[0, 1, 1]])}, warmup=2, repeats=3)
        expect.inputs_unchanged(student)
        calls = student.remote.noted(model)
        expect.that(not any(call["training"] for call in calls), "the model was in training mode")
        expect.that(not any(call["grad"] for call in calls), "gradients were computed")
        expect.that(student.remote.condition(model) == before, "the model is not as it came")
