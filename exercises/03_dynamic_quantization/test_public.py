"""Public tests of exercise 03: small examples to follow by hand, and the course's own models.

`student.f(x)` calls the student's f; `student.remote.f(x)` makes layers and models at the student's end; `rng` is
seeded by the assignment.
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

GPT2, LLAMA = "GPT2LMHeadModel", "LlamaForCausalLM"
GRANULARITIES = ("per_token", "per_tensor")
KINDS = ("linear", "conv1d")
WIDTH = 96  # no matrix of a model of that width and vocabulary has fewer elements than WIDTH²


def config_of(kind, vocabulary, width, positions=16, tied=True):
    """The configuration of a model with one block of that width."""
    shared = {"vocab_size": vocabulary, "tie_word_embeddings": tied, "bos_token_id": 0, "eos_token_id": 0}
    if kind == GPT2:
        return shared | {"n_embd": width, "n_layer": 1, "n_head": 2, "n_positions": positions}
    sizes = {"hidden_size": width, "intermediate_size": width, "max_position_embeddings": positions}
    return shared | sizes | {"num_hidden_layers": 1, "num_attention_heads": 2}


TIED = config_of(GPT2, 1536, 128)


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
    for granularity in GRANULARITIES:
        for bits in (0, 1, 9, 16, -4, 4.5):
            call = partial(student.dynamic_quantize, x, bits=bits, granularity=granularity)
            expect.raises(ValueError, call, because=f"bits was {bits}")
    for other in ("per_channel", "tensor", "Per_Token", "", None):
        call = partial(student.dynamic_quantize, x, granularity=other)
        expect.raises(ValueError, call, because=f"granularity was {other!r}")


@pytest.mark.task("3.1", item="extremes")
def test_constant_tokens(student):
    """[5, 5, 5] has the scale 5 / 127 and codes 127, [−2.5] the code −127: only zeros are special."""
    for x in (torch.full((2, 3), 5.0), torch.full((4,), -0.25), torch.tensor([[5.0], [-2.5]]), torch.tensor([1.27])):
        for granularity in GRANULARITIES:
            check_dynamic(student.dynamic_quantize(x, granularity=granularity), x, 8, granularity)


@pytest.mark.task("3.1", item="inputs")
def test_half_precision_and_small_values(student, rng):
    """float16, bfloat16 and float64: arithmetic in float32 or wider, scales in float32; small data has no floor."""
    x = torch.rand((8, 48), generator=rng) * 0.11 - 0.055
    x[:, 5] = -0.0603
    for data in (x.to(torch.float16), x.to(torch.bfloat16), x.double(), x * 7e-4):
        for granularity in GRANULARITIES:
            check_dynamic(student.dynamic_quantize(data, granularity=granularity), data, 8, granularity)


@pytest.mark.task("3.1", item="inputs")
def test_views(student, rng):
    """A transposed tensor, a slice of a larger one and an expanded one work as any other."""
    for what, view in expect.layouts(tokens((3, 4, 6), rng)):
        for granularity in GRANULARITIES:
            found = expect.layout_call(student.dynamic_quantize, view, granularity=granularity, what=what)
            check_dynamic(found, view.contiguous(), 8, granularity)


@pytest.mark.task("3.1", item="inputs")
def test_where_the_activations_live(student, rng, device):
    """Work and results stay on the device of the activations, without a step for each token."""
    x = tokens((6, 48, 4), rng)
    on = x.to(device)
    for granularity in GRANULARITIES:
        q, scale = expect.results(
            expect.device_call(student.dynamic_quantize, on, granularity=granularity), "q", "scale"
        )
        expect.on_device(student, on, q=q, scale=scale)
        check_dynamic((q, scale), x, 8, granularity)


@pytest.mark.task("3.1", item="state")
def test_activations_stay(student, rng):
    """The activations are not modified."""
    for granularity in GRANULARITIES:
        student.dynamic_quantize(tokens((2, 5, 8), rng), granularity=granularity)
        expect.inputs_unchanged(student)


# ------------------------------------------------------------------ 3.2 DynamicQuantizedLinear


@pytest.mark.task("3.2", item="values")
def test_linear_by_hand(student):
    """Codes [127, −51] times [127, 51] are 13,528; times 0.01 · 0.002, plus the bias 0.10003, is 0.37059."""
    weight, bias = torch.tensor([[0.254, 0.1013], [-1.27, 0.9043]]), torch.tensor([0.10003, 0.0])
    layer = student.DynamicQuantizedLinear.from_float(student.remote.linear(weight, bias))
    x = torch.tensor([[1.27, -0.507]])
    found = expect.tensor(student.remote.output(layer, x), "the output", shape=(1, 2))
    lookalikes = wrong_outputs(x, weight, bias)
    expect.close(found, torch.tensor([[0.37059, -2.0719]]), "the output", lookalikes=lookalikes)


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
def test_square_conv1d(student, rng):
    """A square weight doesn't tell by its shape which axis is the output: the kind of the layer does."""
    x, _ = on_grid((3, 12), torch.tensor([[0.01], [3.0], [0.2]]), rng)
    weight, _ = on_grid((12, 12), torch.logspace(-2, 1, 12)[:, None], rng)
    for kind in KINDS:
        check_output(student.remote.output(layer_of(student, kind, weight), x), x, weight)


@pytest.mark.task("3.2", item="values")
def test_linear_without_bias(student, rng):
    """A layer may have no bias, as all of Llama's, and be wide; inputs have any number of dimensions."""
    weight, _ = on_grid((4, 1000), 0.1, rng)
    layer = layer_of(student, "linear", weight)
    for shape in ((1000,), (3, 1000), (2, 1, 2, 1000)):
        x, _ = on_grid(shape, 0.02, rng)
        check_output(student.remote.output(layer, x), x, weight)


@pytest.mark.task("3.2", item="values")
def test_bias_is_added_as_it_is(student, rng):
    """Tokens like [a, −a] meet weights like [b, b]: the products cancel, and what is left is the bias, unrounded."""
    for kind in KINDS:
        check_bias(student, kind, torch.tensor([0.01, 0.3, 0.002]), 0.02, rng)


@pytest.mark.task("3.2", item="values")
def test_linear_state_is_complete(student, rng):
    """Loaded into the layer of another weight, the state_dict makes it the same layer: nothing else is used."""
    x, _ = on_grid((3, 16), 0.02, rng)
    for kind in KINDS:
        weights = [on_grid((4, 16), step, rng)[0] for step in (0.1, 0.7)]
        one, other = (layer_of(student, kind, weight, weight[:, 0].contiguous()) for weight in weights)
        student.remote.load_state_dict(other, student.remote.state_dict(one))
        check_output(student.remote.output(other, x), x, weights[0], weights[0][:, 0])


@pytest.mark.task("3.2", item="extremes")
def test_zero_token_and_zero_channel(student, rng):
    """A token of zeros gives the bias, and so does an output channel of zeros."""
    steps, rows = torch.tensor([0.02, 1.0, 0.5, 7.0]), torch.tensor([0.03, 0.1, 1.0, 0.2, 0.004])
    for kind in KINDS:
        check_zeros(student, kind, 16, steps, rows, rng)


@pytest.mark.task("3.2", item="inputs")
def test_small_weights_and_small_tokens(student, rng):
    """Steps of a millionth are as fine as any others: no scale has a floor that they reach."""
    steps = torch.tensor([0.1, 3e-6, 1.5e-6, 4e-4])[:, None]
    for kind in KINDS:
        (weight, _), (x, _) = on_grid((4, 16), steps, rng), on_grid((4, 16), steps.flip(0), rng)
        check_output(student.remote.output(layer_of(student, kind, weight), x), x, weight)


@pytest.mark.task("3.2", item="inputs")
def test_half_precision_tokens(student, rng):
    """float16 and bfloat16 tokens are quantized in float32 arithmetic; which dtype the output has is free."""
    weight, _ = on_grid((4, 16), 0.1, rng)
    layer = layer_of(student, "linear", weight, weight[:, 0].contiguous())
    check_half_input(student, layer, torch.randn((5, 16), generator=rng), weight, weight[:, 0])


@pytest.mark.task("3.2", item="inputs")
def test_layers_of_views(student, rng):
    """Views of tokens, and a transposed weight, work as any others."""
    weight, _ = on_grid((5, 12), 0.1, rng)
    x, _ = on_grid((2, 3, 12), torch.tensor([0.01, 3.0, 0.2]).reshape(1, 3, 1), rng)
    for kind in KINDS:
        check_views(student, kind, x, weight, weight[:, 0].contiguous())


@pytest.mark.task("3.2", item="inputs")
def test_where_the_layer_lives(student, rng, device):
    """A layer that is made from one on a device works there, without a step for each element."""
    weight, _ = on_grid((12, 40), torch.logspace(-2, 1, 12)[:, None], rng)
    x, _ = on_grid((4, 6, 40), 0.02, rng)
    on, bias = x.to(device), weight[:, 0].contiguous()
    handle = student.remote.linear(weight.to(device), bias.to(device))
    layer = expect.device_call(student.DynamicQuantizedLinear.from_float, handle)
    found = expect.device_call(layer, on)
    expect.on_device(student, on, the_output=found)
    check_output(found, x, weight, bias)


@pytest.mark.task("3.2", item="state")
def test_layer_and_input_stay(student, rng):
    """from_float leaves the float layer as it was, and a forward pass its input."""
    for kind in KINDS:
        check_layer_left_alone(student, kind, on_grid((4, 16), 0.1, rng)[0], torch.randn((3, 16), generator=rng))


# ------------------------------------------------------------------ 3.3 quantize_model_dynamic


@pytest.mark.task("3.3", item="values")
def test_gpt2(student, rng):
    """A GPT-2 with outlier channels and uneven rows of weights: 3.3 times smaller, and hardly another model."""
    check_model(student, "tiny-gpt2", rng)


@pytest.mark.task("3.3", item="values")
def test_llama(student, rng):
    """A Llama with outlier channels and uneven rows of weights: 3.3 times smaller, and hardly another model."""
    check_model(student, "tiny-llama", rng)


@pytest.mark.task("3.3", item="values")
def test_activations_are_quantized(student, rng):
    """Beside one channel of 1000 a channel of ½ lies below one level, and is gone, in the head and in a block."""
    check_model(student, "tiny-llama", rng)  # else a model that keeps its float weights would be paid here
    for kind in (GPT2, LLAMA):
        check_dynamic_layers(student, kind, 1000.0, list(range(16)))


@pytest.mark.task("3.3", item="artifact")
def test_tied_head_is_stored_once(student):
    """Head and embedding are one weight; here they are most of the model, so stored twice it is too large."""
    for kind in (GPT2, LLAMA):
        check_tied(student, kind, config_of(kind, 1536, 128))


@pytest.mark.task("3.3", item="artifact")
def test_embeddings_row_by_row(student, rng):
    """Small rows of an embedding survive beside rows that are a thousand times larger: each has its own scale."""
    for kind in (GPT2, LLAMA):
        check_embedding_rows(student, kind, rng)


@pytest.mark.task("3.3", item="artifact")
def test_only_integers_are_stored(student):
    """Of every linear layer and every embedding, positions and the head too."""
    for kind in (GPT2, LLAMA):
        check_all_integers(student, kind, WIDTH)


@pytest.mark.task("3.3", item="state")
def test_model_is_left_as_it_was(student):
    """The model that is handed over keeps its weights, its layers and its mode, whichever that is."""
    for training in (True, False):
        check_left_alone(student, GPT2, TIED, training)


@pytest.mark.task("3.3", item="values")
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
    same = bool(((found - want).abs() <= 1e-4 * want.abs() + 1e-5 * want.abs().max()).all())
    words = "loaded from its state_dict, the model predicts something else: what a forward pass needs must be in there"
    expect.that(same, words)


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


def token_batches(vocabulary, rng, shapes=((2, 6), (1, 3), (4, 5))):
    """Batches of several sizes and lengths."""
    return [{"input_ids": torch.randint(0, vocabulary, shape, generator=rng)} for shape in shapes]


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_unlikely_tokens(student, rng):
    """Logits beyond 500 and losses of 60 nats are no problem: take log_softmax, not the logarithm of a softmax."""
    check_unlikely(student, torch.randn((6, 6), generator=rng), token_batches(6, rng))


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_in_half_precision(student, rng):
    """float16 and bfloat16 logits are evaluated in float32."""
    batches = token_batches(10, rng)
    for dtype in (torch.float16, torch.bfloat16):
        table = (torch.randn((10, 10), generator=rng) * 3).to(dtype)
        found = student.perplexity(student.remote.probe(table), batches)
        check_perplexity(found, [table[batch["input_ids"]] for batch in batches], batches)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_views(student, rng):
    """Token ids may be a transposed tensor, a slice or an expanded row."""
    table = torch.randn((9, 9), generator=rng)
    for what, view in expect.layouts(token_batches(9, rng)[2]["input_ids"]):
        found = expect.layout_call(student.perplexity, student.remote.probe(table), [{"input_ids": view}], what=what)
        check_perplexity(found, [table[view]], [{"input_ids": view}])


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_where_the_model_lives(student, rng, device):
    """A model and batches on a device are measured there."""
    table, batches = torch.randn((8, 8), generator=rng), token_batches(8, rng)
    on = [{"input_ids": batch["input_ids"].to(device)} for batch in batches]
    found = expect.device_call(student.perplexity, student.remote.probe(table.to(device)), on)
    check_perplexity(found, [table[batch["input_ids"]] for batch in batches], batches)


@pytest.mark.task("3.4", item="inputs")
def test_perplexity_of_the_whole_batch(student, rng):
    """All tensors of a batch reach the model, model(**batch): here the logits depend on a second one."""
    table, batches = torch.randn((7, 7), generator=rng), token_batches(7, rng)
    for batch in batches:
        batch["token_type_ids"] = torch.randint(0, 3, batch["input_ids"].shape, generator=rng)
    found = student.perplexity(student.remote.probe(table), batches)
    check_perplexity(found, [table[b["input_ids"]] * (b["token_type_ids"][..., None] + 1) for b in batches], batches)


@pytest.mark.task("3.4", item="state")
def test_perplexity_in_eval_mode(student, rng):
    """The model is evaluated in eval mode without gradients, and is afterwards in the mode in which it came."""
    for training in (True, False):
        check_perplexity_leaves(student, torch.randn((4, 4), generator=rng), token_batches(4, rng), training)


@pytest.mark.task("3.4", item="errors")
def test_perplexity_hands_errors_on(student, rng):
    """Where the model raises, the caller gets that error: a perplexity without a batch would be wrong."""
    batches = [*token_batches(4, rng), {"input_ids": torch.tensor([[0, 3, 9]])}]
    call = partial(student.perplexity, student.remote.probe(torch.eye(4)), batches)
    expect.raises(IndexError, call, because="the model raised an IndexError for a token that it does not have")


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
    found = student.benchmark_inference(model, {"input_ids": torch.tensor([[0, 1, 1]])}, warmup=1, repeats=10)
    calls = student.remote.noted(model)
    p10, median, p90 = check_times(found, calls, 1, 10)
    check_quantile(p10, "p10_s", calls[1:], 0, 1)
    check_quantile(median, "median_s", calls[1:], 4, 5)
    check_quantile(p90, "p90_s", calls[1:], 8, 9)


@pytest.mark.task("3.5", item="values")
def test_benchmark_leaves_out_the_slow_and_the_first(student):
    """One fast and one slow call of 21 lie beyond p10 and p90, and calls for warm-up don't count at all."""
    seconds = [0.4, 0.4, 0.4, *[0.03] * 7, 0.002, *[0.03] * 6, 0.25, *[0.03] * 6]
    model = student.remote.probe(torch.eye(2), seconds=seconds)
    found = student.benchmark_inference(model, {"input_ids": torch.tensor([[0, 1]])}, warmup=3, repeats=21)
    calls = student.remote.noted(model)
    p10, _, p90 = check_times(found, calls, 3, 21)
    check_quantile(p10, "p10_s", calls[3:], 1, 3)
    check_quantile(p90, "p90_s", calls[3:], 17, 19)


@pytest.mark.task("3.5", item="values")
def test_benchmark_hands_on_the_whole_batch(student):
    """Every call, warm-up too, is model(**inputs): all rows, and all tensors."""
    ids = torch.tensor([[0, 1, 1], [1, 0, 1]])
    check_whole_batch(student, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, 1, 3)


@pytest.mark.task("3.5", item="values")
def test_benchmark_measures_inference(student):
    """All calls, warm-up too, are in eval mode and without gradients: else something else is measured."""
    model = student.remote.probe(torch.eye(2), dropout=0.5)
    student.remote.set_training(model, True)
    student.benchmark_inference(model, {"input_ids": torch.tensor([[0, 1, 1]])}, warmup=1, repeats=2)
    check_measured(student.remote.noted(model))


@pytest.mark.task("3.5", item="values")
def test_benchmark_waits_for_the_device(student):
    """A GPU's call returns before its work is done: wait for the device before each look at the clock, both times."""
    for warmup, repeats, slow in ((2, 2, 0.3), (1, 3, 0.5)):
        check_on_gpu(student, warmup, repeats, slow, 0.03)


@pytest.mark.task("3.5", item="extremes")
def test_benchmark_of_one_call(student):
    """A single timed call is all three times, and there may be no warm-up."""
    for warmup, repeats in ((0, 1), (1, 1), (0, 3)):
        model = student.remote.probe(torch.eye(2), seconds=[0.02])
        found = student.benchmark_inference(
            model, {"input_ids": torch.tensor([[0, 1]])}, warmup=warmup, repeats=repeats
        )
        p10, *_ = check_times(found, student.remote.noted(model), warmup, repeats)
        expect.that(p10 >= 0.019, "the time is less than the call took", f"{p10:.4g} s, expected 0.02 s")


@pytest.mark.task("3.5", item="state")
def test_benchmark_leaves_model_and_inputs(student):
    """The model is afterwards in the mode in which it came, and the batch is what it was."""
    for training in (True, False):
        check_benchmark_leaves(student, {"input_ids": torch.tensor([[0, 1, 1]])}, training, 1, 2)


@pytest.mark.task("3.5", item="errors")
def test_benchmark_hands_errors_on(student):
    """Where the model raises, the caller gets that error: the time of a call that failed measures nothing."""
    call = partial(
        student.benchmark_inference, student.remote.probe(torch.eye(3)), {"input_ids": torch.tensor([[0, 7]])}
    )
    expect.raises(IndexError, call, because="the model raised an IndexError for a token that it does not have")
