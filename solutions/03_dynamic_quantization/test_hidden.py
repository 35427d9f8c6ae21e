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

GPT2, LLAMA = "GPT2LMHeadModel", "LlamaForCausalLM"
GRANULARITIES = ("per_token", "per_tensor")
KINDS = ("linear", "conv1d")
WIDTH = 128  # no matrix of a model of that width and vocabulary has fewer elements than WIDTH²


def config_of(kind, vocabulary, width, positions=16, tied=True):
    """The configuration of a model with one block of that width."""
    shared = {"vocab_size": vocabulary, "tie_word_embeddings": tied, "bos_token_id": 0, "eos_token_id": 0}
    if kind == GPT2:
        return shared | {"n_embd": width, "n_layer": 1, "n_head": 2, "n_positions": positions}
    sizes = {"hidden_size": width, "intermediate_size": width, "max_position_embeddings": positions}
    return shared | sizes | {"num_hidden_layers": 1, "num_attention_heads": 2}


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


def built(student, kind, vocabulary, tensors):
    """A model of one block of width 16, its weights by the ends of their names; all that is not named does nothing."""
    config = config_of(kind, vocabulary, 16, tied=False)
    state = student.remote.state_dict(student.remote.model(kind, config))
    for name, value in state.items():
        norm = name.endswith("weight") and ("norm" in name or "ln_" in name)
        rest = torch.full_like(value, 1.0 if norm else 1e-6)
        state[name] = next((tensor for end, tensor in tensors.items() if name.endswith(end)), rest)
    return student.remote.model(kind, config, state)


def steered(student, kind, gain, order):
    """A model whose layers see one channel of `gain`, hot, and others of ½, far below one level of their token.

    `order` places hot, cold (which head and block read) and third (where the block leaves what it read). In float,
    tokens 0 and 1 differ by 1 in logit 2 and by more than 3 gains in logit 4; where every layer quantizes its input
    they don't. Tokens 0 and 2 differ by 2 gains in logit 3, quantized or not.
    """
    hot, cold, third, *rest = order
    signs = torch.ones(8, 16)
    signs[:, [third, *rest[3::2]]] = -1.0
    patterns = [(1, 1, -1, -1), (1, -1, 1, -1), (-1, 1, 1, -1)]
    signs[:, [hot, cold, *rest[:2]]] = torch.tensor([*patterns, *patterns[:1] * 5], dtype=torch.float32)
    gains, reads, writes, head = (
        torch.full((16,), 0.5),
        torch.zeros(16, 16),
        torch.full((16, 16), 1e-6),
        torch.eye(8, 16),
    )
    gains[hot], reads[:8, cold], writes[third, :8] = gain, 1.0, 0.5
    reads[8:, hot] = 1 / gain  # so that no token is all zeros
    last, head[2:5] = gains.clone(), 0.0
    last[third], head[2, cold], head[3, hot], head[4, third] = gain, 1.0, 1.0, 1.0
    tensors = {"wte.weight": signs, "embed_tokens.weight": signs, "lm_head.weight": head}
    tensors |= {"ln_f.weight": last, "model.norm.weight": last}
    tensors |= {"ln_1.weight": gains, "ln_2.weight": gains, "layernorm.weight": gains}
    tensors |= {"v_proj.weight": reads, "c_attn.weight": torch.cat([torch.full((16, 32), 1e-6), reads.T], dim=1)}
    tensors |= {"o_proj.weight": writes, "attn.c_proj.weight": writes.T.contiguous()}
    return built(student, kind, 8, tensors)


def check_dynamic_layers(student, kind, gain, order):
    """What lies far below one level of its token acts no more, in the head and in a block; what decides it does."""
    quantized = student.quantize_model_dynamic(steered(student, kind, gain, order))
    (found,) = student.remote.logits(quantized, [{"input_ids": torch.tensor([[0], [1], [2]])}])
    found = expect.tensor(found, "the model's logits", shape=(3, 1, 8)).double()[:, 0]
    words = "the logits do not follow the largest channel of the head's input"
    expect.that(1.9 <= float(found[0, 3] - found[2, 3]) / gain <= 2.1, words)
    words = "leaves its input in float: every layer quantizes its activations, token by token"
    expect.that(float((found[0, 2] - found[1, 2]).abs()) <= 0.05, f"the head {words}")
    expect.that(float((found[0, 4] - found[1, 4]).abs()) / gain <= 0.15, f"a layer of the block {words}")


def check_embedding_rows(student, kind, rng):
    """Rows beside others that are a thousand times larger keep their values, in every embedding."""
    table, positions, head = (torch.randn(shape, generator=rng) for shape in ((64, 16), (16, 16), (64, 16)))
    table[5:] *= 1000
    positions[1:] *= 1000
    x = table[:5] + (positions[0] if kind == GPT2 else 0)
    centred = x - x.mean(-1, keepdim=True) if kind == GPT2 else x
    want = centred / centred.square().mean(-1, keepdim=True).sqrt() @ head.T
    tensors = {"wte.weight": table, "embed_tokens.weight": table, "wpe.weight": positions, "lm_head.weight": head}
    quantized = student.quantize_model_dynamic(built(student, kind, 64, tensors))
    (found,) = student.remote.logits(quantized, [{"input_ids": torch.arange(5)[:, None]}])
    found = expect.tensor(found, "the model's logits", shape=(5, 1, 64))[:, 0]
    words = "an embedding loses its small rows beside large ones: each row has a scale of its own"
    expect.that(float((found - want).norm()) <= 0.05 * float(want.norm()), words)


def check_tied(student, kind, config):
    """The file of a model that is mostly vocabulary: head and embedding are stored once."""
    model = student.remote.model(kind, config)
    described = {"state": {n: v for n, v in student.remote.state_dict(model).items() if n != "lm_head.weight"}}
    quantized = student.quantize_model_dynamic(model)
    check_size(student.remote.state_dict(quantized), student.remote.shared(quantized), described)
    batch = {"input_ids": torch.arange(24).reshape(2, 12) * 7}
    (want,), (found,) = student.remote.logits(model, [batch]), student.remote.logits(quantized, [batch])
    found = expect.tensor(found, "the model's logits", shape=want.shape)
    words = "the logits of a model with a tied head are more than 5 % off: is the head given the embedding's integers?"
    expect.that(float((found - want).norm()) <= 0.05 * float(want.norm()), words)


def check_all_integers(student, kind, width):
    """A model of which each matrix has width² elements or more stores fewer floats than one of them."""
    config = config_of(kind, width, width, width, tied=False)
    state = student.remote.state_dict(student.quantize_model_dynamic(student.remote.model(kind, config)))
    floats = sum(value.numel() for value in state.values() if value.dtype.is_floating_point)
    words = (
        "more floats are stored than scales, biases and norms need: a linear layer or an embedding "
        "(of positions, too) may be left in float"
    )
    expect.that(floats < width * width, words, f"{floats} floats")


def check_left_alone(student, kind, config, training):
    """The model that is handed over keeps its weights, layers, mode and ties."""
    model = student.remote.model(kind, config)
    student.remote.set_training(model, training)
    before = student.remote.condition(model)
    student.quantize_model_dynamic(model)
    expect.that(student.remote.condition(model) == before, "the model that was handed over is changed; work on a copy")


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


def layer_of(student, kind, weight, bias=None):
    """The student's layer for an nn.Linear or a Conv1D, weight [out, in]."""
    make = student.remote.linear if kind == "linear" else student.remote.conv1d
    return student.DynamicQuantizedLinear.from_float(make(weight if kind == "linear" else weight.T.contiguous(), bias))


def check_half_input(student, layer, x, weight, bias):
    """A layer's output for half-precision tokens; its dtype is free, and in half precision it may be rounded once."""
    for data in (x.to(torch.float16), x.to(torch.bfloat16)):
        levels = data.double() / (data.double().abs().amax(dim=-1, keepdim=True) / 127)
        data[(levels - levels.floor() - 0.5).abs() < 1e-3] = 0.0  # ties: either level is right
        found = expect.tensor(student.remote.output(layer, data), "the output", shape=(*x.shape[:-1], len(weight)))
        tokens, rows = rounded(data.float(), -1), rounded(weight, 1)
        size = layer_output(tokens.abs(), rows.abs(), bias.abs())
        off = (found.double() - layer_output(tokens, rows, bias)).abs() / size
        most = 1e-5 + (torch.finfo(found.dtype).eps if found.dtype in (torch.float16, torch.bfloat16) else 0.0)
        words = f"the output for {str(data.dtype).removeprefix('torch.')} tokens is not what float32 arithmetic gives"
        expect.that(bool((off <= most).all()), words)


def check_bias(student, kind, rows, step, rng):
    """Where the products cancel, the output is the bias, which lies between two multiples of the scales' product."""
    weight = (127 * rows)[:, None].expand(-1, 4).contiguous()
    x = 127 * step * torch.tensor([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, 1.0, -1.0]])
    unit = step * rows.double()
    bias = ((torch.randint(-90, 90, rows.shape, generator=rng) + 0.4) * unit).float()
    found = student.remote.output(layer_of(student, kind, weight, bias), x)
    found = expect.tensor(found, "the output", shape=(2, len(rows))).double() / unit
    whole = (bias.double() / unit).round().expand(2, -1)
    looks = {"holds a bias that was rounded to whole steps of the scales": whole}
    expect.close(found, (bias.double() / unit).expand(2, -1), "the output", rtol=0.0, atol=0.05, lookalikes=looks)


def check_zeros(student, kind, width, steps, rows, rng):
    """A token of zeros gives the bias, and so does an output channel of zeros; the rest is not affected."""
    weight, _ = on_grid((5, width), rows[:, None], rng)
    x, _ = on_grid((4, width), steps[:, None], rng)
    weight[2], x[1] = 0.0, 0.0
    bias = torch.randn(5, generator=rng)
    found = student.remote.output(layer_of(student, kind, weight, bias), x)
    found = expect.tensor(found, "the output", shape=(4, 5))
    expect.close(found[1], bias, "the output of the token of zeros", atol=1e-6)
    expect.close(found[:, 2], bias[2].expand(4), "the output of the channel of zeros", atol=1e-6)
    kept, others = torch.tensor([0, 2, 3]), torch.tensor([0, 1, 3, 4])
    check_output(found[kept][:, others], x[kept], weight[others], bias[others])


def check_views(student, kind, x, weight, bias):
    """Views of tokens and of weights give what contiguous tensors give."""
    layer = layer_of(student, kind, weight, bias)
    for what, view in expect.layouts(x):
        check_output(expect.layout_call(student.remote.output, layer, view, what=what), view.contiguous(), weight, bias)
    make, what = (student.remote.linear, student.remote.conv1d)[kind == "conv1d"], "a transposed weight"
    turned = weight.T.contiguous().T if kind == "linear" else weight.T
    layer = expect.layout_call(student.DynamicQuantizedLinear.from_float, make(turned, bias), what=what)
    check_output(student.remote.output(layer, x), x, weight, bias)


def check_layer_left_alone(student, kind, weight, x):
    """from_float does not touch the layer that it is given, nor a forward pass its input."""
    make = student.remote.linear if kind == "linear" else student.remote.conv1d
    handle = make(weight if kind == "linear" else weight.T.contiguous(), weight[:, 0].contiguous())
    before = student.remote.condition(handle)
    layer = student.DynamicQuantizedLinear.from_float(handle)
    expect.that(student.remote.condition(handle) == before, "from_float changed the layer that it was given")
    layer(x)
    expect.inputs_unchanged(student)


def check_perplexity(found, logits, batches):
    """The perplexity of these logits, to a ten-thousandth; infinity and NaN are not."""
    want = perplexity_of(logits, batches)
    expect.close(expect.number(found, "the perplexity"), want, "the perplexity", rtol=1e-4)


def check_unlikely(student, table, batches):
    """Logits whose exponential overflows, and tokens whose probability underflows: the mean loss is 60 nats."""
    mean = math.log(perplexity_of([100 * table[b["input_ids"]] for b in batches], batches))
    table = table * (100 * 60 / mean) + 500  # e^60 is a float32, the probability of the least likely token is not
    want = perplexity_of([table[b["input_ids"]] for b in batches], batches)
    found = expect.number(student.perplexity(student.remote.probe(table), batches), "the perplexity")
    expect.close(math.log(max(found, 1e-30)), math.log(want), "the logarithm of the perplexity", rtol=1e-4)


def check_measured(calls):
    """Every call measures inference: in eval mode and without gradients."""
    expect.that(not any(call["training"] for call in calls), "the model was in training mode: dropout acted")
    expect.that(not any(call["grad"] for call in calls), "gradients were computed")


def check_perplexity_leaves(student, table, batches, training):
    """Eval mode and no gradients while it measures; afterwards model and batches are as they were."""
    model = student.remote.probe(table, dropout=0.5)
    student.remote.set_training(model, training)
    before = student.remote.condition(model)
    found = student.perplexity(model, batches)
    expect.inputs_unchanged(student)
    check_measured(student.remote.noted(model))
    expect.that(student.remote.condition(model) == before, "the model is not as it came: modes, hooks, gradients")
    check_perplexity(found, [table[batch["input_ids"]] for batch in batches], batches)


def check_times(found, calls, warmup, repeats):
    """The three times of a benchmark, and how often the model was called."""
    expect.that(type(found) is dict, "returned no dict; expected median_s, p10_s and p90_s")
    for key in ("median_s", "p10_s", "p90_s"):
        expect.that(key in found, f"the key {key} is missing")
    p10, median, p90 = (expect.number(found[key], key) for key in ("p10_s", "median_s", "p90_s"))
    words = f"the model was not called warmup + repeats times, here {warmup} + {repeats}"
    expect.that(len(calls) == warmup + repeats, words, f"{len(calls)} calls")
    values = f"{p10:.4g}, {median:.4g}, {p90:.4g}"
    expect.that(0 < p10 <= median <= p90, "not in order: expected 0 < p10_s ≤ median_s ≤ p90_s", values)
    return p10, median, p90


def check_quantile(found, name, calls, first, last):
    """A quantile lies between two of the timed calls by rank, interpolated or not; 0.03 s for what surrounds it.

    `calls`: what the model itself noted of the timed calls, so that a machine that stalls fails nobody.
    """
    taken = sorted(call["seconds"] for call in calls)
    lowest, highest = taken[first], taken[last]
    values = f"{found:.4g} s, expected {lowest:.4g} to {highest:.4g} s"
    looks = {
        "is the mean of the calls": (sum(taken) / len(taken),) * 2,
        "is the time of the fastest call": (taken[0],) * 2,
        "is the time of the slowest call": (taken[-1],) * 2,
        "is longer than any timed call took: calls for warm-up, or several calls, are in it": (taken[-1] + 0.05, 9.0),
    }
    if 0.95 * lowest <= found <= highest + 0.03:
        return
    expect.that(not lowest <= found / 1e3 <= highest + 0.03, f"{name} is in milliseconds; give seconds", values)
    fitting = [words for words, (least, most) in looks.items() if 0.95 * least <= found <= most + 0.01]
    words = fitting[0] if len(fitting) == 1 else "is not the time of the calls that have that rank"
    expect.that(False, f"{name} {words}", values)


def check_on_gpu(student, warmup, repeats, slow, fast):
    """A benchmark on a pretended GPU, whose calls return at once; those for warm-up take `slow` s, timed ones `fast` s.

    Tensors say that they lie on cuda:0, and torch.cuda and torch.accelerator answer as if one were there. What the
    pretence can't do is held against nobody whose benchmark works on the CPU.
    """
    inputs, given = {"input_ids": torch.tensor([[0, 1, 1]])}, {"warmup": warmup, "repeats": repeats}
    model = student.remote.probe(torch.eye(2))
    found = student.benchmark_inference(model, inputs, **given)
    check_times(found, student.remote.noted(model), warmup, repeats)
    for attempt in range(3):  # a machine may stall within 0.03 s, but not each time
        found, calls = gpu_times(student, inputs, given, [slow] * warmup + [fast])
        if found is None:
            return
        p10, _, p90 = check_times(found, calls, warmup, repeats)
        if 0.95 * fast <= p10 and p90 <= fast + 0.2:
            return
        if 0.95 * fast > p10 or attempt == 2:
            break
    values = f"{p10:.4g} to {p90:.4g} s, each call takes {fast} s"
    words = (
        "on a GPU, the clock was read while the device still worked: wait for it after the call, before you look"
        " (torch.cuda.synchronize(), where the model or its inputs lie on one)"
    )
    expect.that(0.95 * fast <= p10, words, values)
    words = "on a GPU, the times hold work that was queued before: wait for the device before you start the clock, too"
    expect.that(False, words, values)


def gpu_times(student, inputs, given, seconds):
    """(what the benchmark found on a pretended GPU, the model's notes); (None, []) where the pretence fails."""
    model = student.remote.probe(torch.eye(2), seconds=seconds)
    student.remote.cuda_begins(model)
    try:
        batch = {name: student.remote.on_cuda(tensor) for name, tensor in inputs.items()}
        return student.benchmark_inference(model, batch, **given), student.remote.noted(model)
    except NotImplementedError:
        raise
    except (RuntimeError, TypeError, AttributeError, ValueError):
        return None, []
    finally:
        student.remote.cuda_ends()


def check_benchmark_leaves(student, inputs, training, warmup, repeats):
    """Modes, hooks, gradients and inputs are as they were, in either mode."""
    model = student.remote.probe(torch.eye(2), dropout=0.5)
    student.remote.set_training(model, training)
    before = student.remote.condition(model)
    student.benchmark_inference(model, inputs, warmup=warmup, repeats=repeats)
    expect.inputs_unchanged(student)
    expect.that(student.remote.condition(model) == before, "the model is not as it came: modes, hooks, gradients")


def check_whole_batch(student, inputs, warmup, repeats):
    """Every call gets every row and every tensor of the batch, by name."""
    model = student.remote.probe(torch.eye(2))
    student.benchmark_inference(model, inputs, warmup=warmup, repeats=repeats)
    others, shape = inputs.keys() - {"input_ids"}, list(inputs["input_ids"].shape)
    for call in student.remote.noted(model):
        expect.that(call["shape"] == shape, "the model was not called with the batch as it is")
        handed = others <= set(call["others"])
        expect.that(handed, "the model was not called with all tensors of the batch: model(**inputs)")


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


@pytest.mark.task("3.1", item="extremes")
def test_dynamic_constant_data(student, rng):
    """Constant tokens, and tokens of one element, follow the same rules as any others, at any number of bits."""
    level = float(torch.rand((), generator=rng)) + 0.5
    for x in (torch.full((4, 1, 6), level), torch.full((2, 9), -7 * level), torch.tensor([[[level], [0.0], [-1.0]]])):
        for granularity in GRANULARITIES:
            for bits in (8, 3):
                found = student.dynamic_quantize(x, bits=bits, granularity=granularity)
                q, scale = expect.results(found, "q", "scale")
                amax = largest(x, granularity)
                expect.usable_scale(scale, shape=amax.shape)
                used = torch.where(amax > 0, scale, 1.0)
                expect.symmetric_scale(used, torch.where(amax > 0, amax, 2 ** (bits - 1) - 1.0), bits)
                expect.codes(q, x, used, bits=bits)


@pytest.mark.task("3.1", item="inputs")
def test_dynamic_views(student, rng):
    """Views of the activations give what contiguous ones give."""
    for what, view in expect.layouts(tokens((4, 5, 7), rng)):
        for granularity in GRANULARITIES:
            found = expect.layout_call(student.dynamic_quantize, view, bits=6, granularity=granularity, what=what)
            check_dynamic(found, view.contiguous(), 6, granularity)


@pytest.mark.task("3.1", item="inputs")
def test_dynamic_precision(student, rng):
    """Activations of any dtype are quantized in float32 or wider, and small ones as finely as any other."""
    x = torch.rand((16, 64), generator=rng) * 0.12 - 0.06
    x[:, 3] = 0.0661
    for data in (x.to(torch.float16), x.to(torch.bfloat16), x.double(), x * 6e-4):
        for granularity in GRANULARITIES:
            check_dynamic(student.dynamic_quantize(data, granularity=granularity), data, 8, granularity)


@pytest.mark.task("3.1", item="errors")
def test_dynamic_refuses_other_arguments(student):
    """A number of bits or a granularity that there isn't is a ValueError."""
    x = torch.tensor([[1.0, -2.0]])
    for granularity in GRANULARITIES:
        for bits in (0, 1, 9, -8, 2.5):
            call = partial(student.dynamic_quantize, x, bits=bits, granularity=granularity)
            expect.raises(ValueError, call, because=f"bits was {bits}")
    for other in ("per_row", "token", "", None):
        call = partial(student.dynamic_quantize, x, granularity=other)
        expect.raises(ValueError, call, because="the granularity was neither per_token nor per_tensor")


@pytest.mark.task("3.1", item="state")
def test_dynamic_leaves_its_input(student, rng):
    """The activations are not modified."""
    for granularity in GRANULARITIES:
        student.dynamic_quantize(tokens((3, 6), rng), granularity=granularity)
        expect.inputs_unchanged(student)


@pytest.mark.task("3.1", item="inputs")
def test_dynamic_on_device(student, rng, device):
    """The work is done, and the results live, where the data lives, without a step for each element or token."""
    x = tokens((8, 64, 4), rng)
    on = x.to(device)
    for granularity in GRANULARITIES:
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


@pytest.mark.task("3.2", item="values")
def test_bias_is_exact(student, rng):
    """Where the products cancel, both kinds of layer give the bias as it is."""
    for kind in KINDS:
        check_bias(student, kind, ROWS, 0.07, rng)


@pytest.mark.task("3.2", item="extremes")
def test_zero_tokens_and_channels(student, rng):
    """A token of zeros gives the bias, and so does an output channel of zeros; the rest is not affected."""
    for kind in KINDS:
        check_zeros(student, kind, 24, STEPS[:4], ROWS[:5], rng)


@pytest.mark.task("3.2", item="inputs")
def test_layer_half_precision_input(student, rng):
    """Half-precision activations are quantized in float32 arithmetic."""
    for kind in KINDS:
        layer, weight, bias = made(student, kind, rng, 40)
        check_half_input(student, layer, torch.randn((3, 5, 40), generator=rng), weight, bias)


@pytest.mark.task("3.2", item="inputs")
def test_layer_views(student, rng):
    """Views of activations and weights give what contiguous ones give."""
    for kind in KINDS:
        (weight, _), (x, _) = on_grid((7, 20), ROWS[:, None], rng), on_grid((4, 5, 20), STEPS[:, None], rng)
        check_views(student, kind, x, weight, torch.randn(7, generator=rng))


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
    for kind in KINDS:
        check_layer_left_alone(student, kind, on_grid((5, 24), 0.01, rng)[0], torch.randn((2, 3, 24), generator=rng))


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


@pytest.mark.task("3.3", item="values")
def test_layers_are_dynamic(student, reference, once, rng):
    """What lies far below one level of its token acts no more, in the head and in a block, of either architecture."""
    check_artifact(student, reference, once, "tiny-llama", rng)  # else a model that keeps its float weights is paid
    for kind in (GPT2, LLAMA):
        check_dynamic_layers(student, kind, 700.0, torch.randperm(16, generator=rng).tolist())


@pytest.mark.task("3.3", item="artifact")
def test_tied_heads(student):
    """A tied head, of either architecture, shares the embedding's integers: the file holds them once."""
    for kind in (GPT2, LLAMA):
        check_tied(student, kind, config_of(kind, 2048, 128))


@pytest.mark.task("3.3", item="artifact")
def test_embeddings_by_rows(student, rng):
    """Each row of every embedding has a scale of its own, in either architecture."""
    for kind in (LLAMA, GPT2):
        check_embedding_rows(student, kind, rng)


@pytest.mark.task("3.3", item="artifact")
def test_every_layer_is_quantized(student):
    """Of every linear layer and every embedding, positions and the head too, only integers are stored."""
    for kind in (GPT2, LLAMA):
        check_all_integers(student, kind, WIDTH)


@pytest.mark.task("3.3", item="state")
def test_models_are_left_as_they_were(student):
    """The model that is handed over keeps its weights, layers, mode and ties; its copy can be changed freely."""
    for kind in (GPT2, LLAMA):
        for training in (True, False):
            check_left_alone(student, kind, config_of(kind, 512, 64), training)


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
    model, batches = student.remote.model(GPT2, config_of(GPT2, 2048, 128)), uneven(2048, rng)
    want = perplexity_of(student.remote.logits(model, batches), batches)
    found = expect.number(student.perplexity(model, batches), "the perplexity")
    expect.close(found, want, "the perplexity", rtol=1e-4)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_large_logits(student, rng):
    """Large logits, whose exponential overflows, and unlikely tokens, whose probability underflows, are no problem."""
    check_unlikely(student, torch.randn((7, 7), generator=rng), uneven(7, rng))


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_half_logits(student, rng):
    """Half-precision logits are evaluated in float32."""
    batches = uneven(11, rng)
    for dtype in (torch.float16, torch.bfloat16):
        table = (torch.randn((11, 11), generator=rng) * 3).to(dtype)
        want = perplexity_of([table[batch["input_ids"]] for batch in batches], batches)
        found = expect.number(student.perplexity(student.remote.probe(table), batches), "the perplexity")
        expect.close(found, want, "the perplexity", rtol=1e-4)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_views(student, rng):
    """Token ids that are views give what contiguous ones give."""
    table = torch.randn((12, 12), generator=rng) * 2
    for what, view in expect.layouts(torch.randint(0, 12, (3, 8), generator=rng)):
        found = expect.layout_call(student.perplexity, student.remote.probe(table), [{"input_ids": view}], what=what)
        check_perplexity(found, [table[view]], [{"input_ids": view}])


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_whole_batch(student, rng):
    """Every tensor of a batch reaches the model by its name."""
    table, batches = torch.randn((9, 9), generator=rng), uneven(9, rng)
    for batch in batches:
        batch["token_type_ids"] = torch.randint(0, 2, batch["input_ids"].shape, generator=rng)
    found = student.perplexity(student.remote.probe(table), batches)
    check_perplexity(found, [table[b["input_ids"]] * (b["token_type_ids"][..., None] + 1) for b in batches], batches)


@pytest.mark.task("3.4", item="state")
def test_perplexity_leaves_the_model(student, rng):
    """Eval mode and no gradients while it measures; afterwards model and batches are as they were, in either mode."""
    table, batches = torch.randn((5, 5), generator=rng), uneven(5, rng)
    for training in (False, True):
        check_perplexity_leaves(student, table, batches, training)


@pytest.mark.task("3.4", item="errors")
def test_perplexity_model_that_raises(student, rng):
    """An error of the model reaches the caller, unchanged in type, whichever batch raises it."""
    broken = {"input_ids": torch.tensor([[0, 5, 1], [1, 2, 3]])}
    for batches in ([broken], [broken, *uneven(5, rng)]):
        call = partial(student.perplexity, student.remote.probe(torch.eye(5)), batches)
        expect.raises(IndexError, call, because="the model raised an IndexError for a token that it does not have")


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
    """Exactly warmup + repeats calls, whatever the two numbers."""
    for warmup, repeats in ((1, 3), (2, 7), (5, 2)):
        seconds = [0.003] * (warmup + repeats)
        model = student.remote.probe(torch.eye(2), seconds=seconds)
        inputs = {"input_ids": torch.tensor([[0, 1, 1]])}
        found, calls = timed(student, model, inputs, seconds, warmup=warmup, repeats=repeats)
        check_times(found, calls, warmup, repeats)


@pytest.mark.task("3.5", item="values")
def test_benchmark_batch(student):
    """Every call gets the whole batch: all of its rows and all of its tensors."""
    ids = torch.tensor([[0, 1], [1, 1], [1, 0]])
    check_whole_batch(student, {"input_ids": ids, "token_type_ids": ids, "position_ids": ids}, 2, 2)


@pytest.mark.task("3.5", item="values")
def test_benchmark_leaves_out_the_warm_up(student, rng):
    """Slow first calls don't count, and the three numbers are quantiles of single calls, in seconds."""
    order = torch.randperm(10, generator=rng).tolist()
    seconds = [0.4, 0.4, *([0.2, 0.2, 0.2, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.05][at] for at in order)]
    model = student.remote.probe(torch.eye(2), seconds=seconds)
    found, calls = timed(student, model, {"input_ids": torch.tensor([[0, 1]])}, seconds, warmup=2)
    p10, median, p90 = check_times(found, calls, 2, 10)
    check_quantile(p10, "p10_s", calls[2:], 0, 1)
    check_quantile(median, "median_s", calls[2:], 4, 5)
    check_quantile(p90, "p90_s", calls[2:], 8, 9)


@pytest.mark.task("3.5", item="values")
def test_benchmark_leaves_out_a_tenth(student, rng):
    """One very fast and one very slow call of twenty-one are beyond p10 and p90, whichever way these interpolate."""
    order = torch.randperm(21, generator=rng).tolist()
    seconds = [0.03, *([0.002, *[0.03] * 19, 0.2][at] for at in order)]
    model = student.remote.probe(torch.eye(2), seconds=seconds)
    found, calls = timed(student, model, {"input_ids": torch.tensor([[0, 1]])}, seconds, warmup=1, repeats=21)
    p10, _, p90 = check_times(found, calls, 1, 21)
    check_quantile(p10, "p10_s", calls[1:], 1, 3)
    check_quantile(p90, "p90_s", calls[1:], 17, 19)


@pytest.mark.task("3.5", item="values")
def test_benchmark_in_eval_mode_without_gradients(student):
    """All calls, those for warm-up too, measure inference."""
    model = student.remote.probe(torch.eye(2), dropout=0.5)
    student.remote.set_training(model, True)
    student.benchmark_inference(model, {"input_ids": torch.tensor([[0, 1], [1, 1]])}, warmup=2, repeats=3)
    check_measured(student.remote.noted(model))


@pytest.mark.task("3.5", item="values")
def test_benchmark_times_the_device(student):
    """On a GPU, the clock is read when the device is done, before and after each timed call."""
    for warmup, repeats, slow in ((3, 2, 0.25), (1, 4, 0.6)):
        check_on_gpu(student, warmup, repeats, slow, 0.04)


@pytest.mark.task("3.5", item="extremes")
def test_benchmark_of_few_calls(student):
    """One or two timed calls are enough, with warm-up and without."""
    for warmup, repeats in ((2, 1), (0, 1), (0, 2)):
        seconds = [0.03] * (warmup + repeats)
        model = student.remote.probe(torch.eye(2), seconds=seconds)
        inputs = {"input_ids": torch.tensor([[0, 1]])}
        found, calls = timed(student, model, inputs, seconds, warmup=warmup, repeats=repeats)
        _, median, _ = check_times(found, calls, warmup, repeats)
        expect.that(median >= 0.029, "the time is less than the calls took")


@pytest.mark.task("3.5", item="state")
def test_benchmark_leaves_the_model(student):
    """Afterwards model and batch are as they were, in either mode."""
    for training in (False, True):
        check_benchmark_leaves(student, {"input_ids": torch.tensor([[0, 1], [1, 0]])}, training, 2, 3)


@pytest.mark.task("3.5", item="errors")
def test_benchmark_model_that_raises(student):
    """An error of the model reaches the caller, unchanged in type, also where there is no warm-up."""
    for warmup in (0, 2):
        inputs = {"input_ids": torch.tensor([[0, 1], [4, 1]])}
        call = partial(student.benchmark_inference, student.remote.probe(torch.eye(4)), inputs, warmup=warmup)
        expect.raises(IndexError, call, because="the model raised an IndexError for a token that it does not have")
