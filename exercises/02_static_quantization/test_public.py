"""Public tests of exercise 02: small examples to follow by hand, and one model of the course.

`student.f(x)` calls the student's f; `student.remote` makes layers and models where the student's code runs; `rng` is
seeded by the assignment; `expect` says what a wrong answer looks like.
"""

import json
from functools import partial

import pytest
import torch
from safetensors.torch import load

from autograder.lab import models
from autograder.testing import artifacts, expect

SMALLEST = 3.5  # the quantized file must be that many times smaller
YARDSTICK_BITS = 5  # 8 bits, activations included, must be closer to the float model than weights of so many bits alone
SAME = 0.98  # the share of predictions that must be the float model's
NEAR_TIE = 0.2  # of the float model's two best logits: there, either class is as good a prediction

SMALL_BERT = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 16,
    "num_labels": 5,
}


def one_scale(scale):
    """A calibrator's scale: a float32 tensor with one element."""
    scale = expect.tensor(scale, "scale", dtype=torch.float32)
    return scale.reshape(()) if scale.numel() == 1 else scale


def check_parameters(found, lo, hi, bits=8, symmetric=False):
    """(scale, zero point) for data from lo to hi."""
    scale, zero_point = expect.results(found, "scale", "zero_point")
    if not symmetric:
        scale = expect.asymmetric_scale(one_scale(scale), lo, hi, bits)
        return scale, expect.zero_point(zero_point, lo, scale, bits)
    scale = expect.symmetric_scale(one_scale(scale), torch.tensor(max(-lo, hi)), bits)
    zero_point = expect.integer(zero_point, "zero point")
    expect.that(zero_point == 0, "the zero point of a symmetric calibrator is not 0")
    return scale, zero_point


def calibrated(student, *tensors, **options):
    """A calibrator of the student's that was shown these tensors."""
    calibrator = student.MinMaxCalibrator(**options)
    for tensor in tensors:
        calibrator.observe(tensor)
    return calibrator


# ------------------------------------------------------------------ 2.1 MinMaxCalibrator


@pytest.mark.task("2.1", item="values")
def test_minmax_by_hand(student):
    """−1.02 in one tensor and 1.53 in another: the scale is 2.55 / 255 = 0.01, and 0 is level 102."""
    calibrator = calibrated(student, torch.tensor([0.0, 1.53]), torch.tensor([[-1.02], [0.4]]))
    check_parameters(calibrator.quantization_parameters(), -1.02, 1.53)


@pytest.mark.task("2.1", item="values")
def test_minmax_symmetric(student):
    """Symmetric: the value farthest from zero, here −2.54, on level 127 (or 7 with 4 bits); the zero point is 0."""
    for bits in (8, 4):
        calibrator = calibrated(student, torch.tensor([0.3, -2.54]), torch.tensor([1.7]), bits=bits, symmetric=True)
        check_parameters(calibrator.quantization_parameters(), -2.54, 1.7, bits, symmetric=True)


@pytest.mark.task("2.1", item="values")
def test_minmax_order_and_split(student, rng):
    """Neither the order of the tensors nor how the data are split changes the answer."""
    x = torch.rand(60, generator=rng) * 3 - 1
    x[7], x[31] = -1.36, 2.9
    for parts in ([x], x.split(9), x.split(9)[::-1], x[31:].split(4) + x[:31].split(31)):
        check_parameters(calibrated(student, *parts).quantization_parameters(), -1.36, 2.9)


@pytest.mark.task("2.1", item="extremes")
def test_minmax_zeros(student):
    """Zeros alone: the scale is finite and positive."""
    for symmetric in (False, True):
        found = calibrated(student, torch.zeros(3, 2), symmetric=symmetric).quantization_parameters()
        scale, _ = expect.results(found, "scale", "zero_point")
        expect.usable_scale(one_scale(scale))


@pytest.mark.task("2.1", item="errors")
def test_minmax_without_data(student):
    """A calibrator that was shown nothing has no answer: RuntimeError."""
    for symmetric in (False, True):
        calibrator = student.MinMaxCalibrator(symmetric=symmetric)
        expect.raises(RuntimeError, calibrator.quantization_parameters, because="nothing was observed")


@pytest.mark.task("2.1", item="errors")
def test_minmax_refuses_nan(student):
    """One NaN would spoil the range for good; a ValueError says so."""
    calibrator = student.MinMaxCalibrator()
    call = partial(calibrator.observe, torch.tensor([1.0, float("nan")]))
    expect.raises(ValueError, call, because="the data held NaN", named=True)


# ------------------------------------------------------------------ 2.3 calibrate_model


def totals(notes):
    """What a recorder was shown, however it was split: (count, least, largest, sum)."""
    return (
        sum(note["count"] for note in notes),
        min(note["amin"] for note in notes),
        max(note["amax"] for note in notes),
        sum(note["checksum"] for note in notes),
    )


def check_observed(student, found, recorder, inputs):
    """`found` names exactly the layers of `inputs` {name: its inputs}, and each one's recorder was shown those."""
    expect.that(type(found) is dict, "returned no dict; expected {layer name: (scale, zero_point)}")
    missing, extra = inputs.keys() - found.keys(), found.keys() - inputs.keys()
    expect.that(not missing, "the result lacks linear layers of the model", f"{sorted(missing)[:3]}")
    expect.that(not extra, "the result has entries beyond the linear layers that are called", f"{sorted(extra)[:3]}")
    recorded = student.remote.recorded(recorder)
    for name, tensors in inputs.items():
        scale, zero_point = expect.results(found[name], "scale", "zero_point")
        index = expect.integer(zero_point, "zero point")
        own = 0 <= index < len(recorded) and float(expect.tensor(scale, "scale")) == index + 1
        expect.that(own, "the parameters are not what the calibrator has answered")
        expect.that(bool(recorded[index]), "a calibrator was shown nothing")
        got = torch.tensor(totals(recorded[index]), dtype=torch.float64)
        wide = torch.cat([tensor.double().flatten() for tensor in tensors])
        want = torch.stack([torch.tensor(wide.numel()).double(), wide.min(), wide.max(), wide.sum()])
        size = torch.stack([want[0], *[wide.abs().max()] * 2, wide.abs().sum()])
        words = "a layer's calibrator was not shown that layer's inputs, all of them, once"
        expect.that(bool(((got - want).abs() <= 1e-4 * size).all()), words, name)


@pytest.mark.task("2.3", item="values")
def test_calibrate_two_layers(student, rng):
    """Two linear layers in a row: the first sees the data, the second what the first one makes of them."""
    first, second = torch.randn((6, 4), generator=rng), torch.randn((3, 6), generator=rng)
    model = student.remote.sequential(student.remote.linear(first), student.remote.linear(second))
    data = [torch.randn((rows, 4), generator=rng) * 3 for rows in (5, 2, 7)]
    recorder = student.remote.recorder()
    found = student.calibrate_model(model, [{"input": x} for x in data], recorder)
    check_observed(student, found, recorder, {"0": data, "1": [x @ first.T for x in data]})


@pytest.mark.task("2.3", item="values")
def test_calibrate_finds_nested_layers(student, rng):
    """A layer inside a part of the model goes by its full name, as in named_modules()."""
    weights = [torch.randn((4, 4), generator=rng) for _ in range(3)]
    layers = [student.remote.linear(weight) for weight in weights]
    inner = student.remote.sequential(layers[1], student.remote.sequential(layers[2]))
    model = student.remote.sequential(layers[0], student.remote.layer_norm(torch.ones(4)), inner)
    x, recorder = torch.randn((9, 4), generator=rng), student.remote.recorder()
    found = student.calibrate_model(model, [{"input": x}], recorder)
    normed = torch.nn.functional.layer_norm(x @ weights[0].T, (4,))
    inputs = {"0": [x], "2.0": [normed], "2.1.0": [normed @ weights[1].T]}
    check_observed(student, found, recorder, inputs)


@pytest.mark.task("2.3", item="state")
def test_calibrated_model_is_left_as_it_was(student, rng):
    """The model keeps its weights, its mode and its requires_grad, and no hook stays behind."""
    for training in (True, False):
        model = student.remote.sequential(student.remote.linear(torch.randn((3, 4), generator=rng)))
        student.remote.set_training(model, training)
        before = student.remote.condition(model)
        student.calibrate_model(model, [{"input": torch.ones(2, 4)}], student.remote.recorder())
        expect.that(
            student.remote.condition(model) == before, "the model is not left as it was: hooks, mode or weights"
        )


# ------------------------------------------------------------------ 2.4 StaticQuantizedLinear


def on_grid(shape, steps, rng):
    """float32 data well within a code's step, each last dimension of which reaches ±127 steps."""
    codes = torch.randint(-126, 127, shape, generator=rng) + (torch.rand(shape, generator=rng) - 0.5) * 0.7
    codes[..., 0] = 127 * (torch.randint(0, 2, shape[:-1], generator=rng) * 2 - 1)
    return codes * steps


def inputs_on_grid(shape, scale, zero_point, rng, beyond=0):
    """float32 data well within a step of the levels 0 to 255, or `beyond` of them."""
    levels = torch.randint(-beyond, 256 + beyond, shape, generator=rng)
    return (levels - zero_point + (torch.rand(shape, generator=rng) - 0.5) * 0.7) * scale


def rounded_rows(weight, bits=8):
    """Weight [out, in] in float64, rounded with one scale for each row."""
    scale = weight.double().abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / (2 ** (bits - 1) - 1)
    return torch.round(weight.double() / scale) * scale


def check_output(found, x, weight, bias, scale, zero_point):
    """What a static layer gives for x [..., in], weight [out, in]: both sides rounded, saturated, then the bias."""
    found = expect.tensor(found, "the output", shape=(*x.shape[:-1], len(weight)))
    added = torch.zeros(len(weight)) if bias is None else bias
    levels = torch.round(x.double() / float(scale)) + zero_point
    kept = (levels.clamp(0, 255) - zero_point) * float(scale)
    size = (kept.abs() + 200 * float(scale)) @ weight.double().abs().T + added.abs().double() + 1e-12

    def output(inputs, weight, bias=added):
        return (inputs @ weight.T + bias.double()) / size

    weight, rows = weight.double(), rounded_rows(weight)
    whole = weight.abs().max() / 127
    lookalikes = {
        "equals the float layer's: nothing was quantized": output(x.double(), weight),
        "leaves the input in float; quantize it, too": output(x.double(), rows),
        "leaves the weight in float": output(kept, weight),
        "goes on beyond the levels 0 to 255: the input must saturate": output(
            (levels - zero_point) * float(scale), rows
        ),
        "forgets to subtract the zero point": output(levels.clamp(0, 255) * float(scale), rows),
        "ignores the zero point: it is neither added nor subtracted": (
            output((levels - zero_point).clamp(0, 255) * float(scale), rows)
        ),
        "has one scale for the whole weight; each output channel has its own": (
            output(kept, torch.round(weight / whole) * whole)
        ),
        "has one weight scale an input channel; each output channel has its own": output(
            kept, rounded_rows(weight.T).T
        ),
        "lacks the bias": output(kept, rows, torch.zeros(len(weight))),
    }
    expect.close(found.double() / size, output(kept, rows), "the output", rtol=0.0, atol=1e-5, lookalikes=lookalikes)


def check_stored(student, layer, elements):
    """One int8 tensor holds the weight, and nothing holds a float copy of it."""
    state = student.remote.state_dict(layer)
    stored = [value for value in state.values() if value.dtype == torch.int8 and value.numel() == elements]
    expect.that(len(stored) == 1, "the state_dict does not hold the weight as one int8 tensor of out · in elements")
    floats = sum(size for dtype, size in student.remote.held(layer).items() if "float" in dtype)
    expect.that(floats < elements, "the layer holds a float copy of the weight: nothing is saved")


@pytest.mark.task("2.4", item="values")
def test_linear_by_hand(student):
    """(100 − 50)·127 + (25 − 50)·50 + (150 − 50)·(−30) = 2100 steps of 0.01 · 0.01, and a bias of 0.1: 0.31."""
    weight, bias = torch.tensor([[1.27, 0.5, -0.3]]), torch.tensor([0.1])
    layer = student.StaticQuantizedLinear.from_float(student.remote.linear(weight, bias), torch.tensor(0.01), 50)
    x = torch.tensor([[0.5, -0.25, 1.0], [0.0, 0.0, 0.0]])
    check_output(student.remote.output(layer, x), x, weight, bias, torch.tensor(0.01), 50)


@pytest.mark.task("2.4", item="values")
def test_linear_saturates(student, rng):
    """Inputs beyond the calibrated range are taken for its ends; [batch, tokens, in] works like [rows, in]."""
    weight, bias = on_grid((5, 24), torch.logspace(-3, 0, 5)[:, None], rng), torch.randn(5, generator=rng)
    for step, zero_point in ((0.02, 97), (0.3, 0), (0.007, 255)):
        scale = torch.tensor(step)
        layer = student.StaticQuantizedLinear.from_float(student.remote.linear(weight, bias), scale, zero_point)
        for shape in ((7, 24), (2, 3, 24)):
            x = inputs_on_grid(shape, scale, zero_point, rng, beyond=300)
            check_output(student.remote.output(layer, x), x, weight, bias, scale, zero_point)


@pytest.mark.task("2.4", item="values")
def test_linear_stores_integers(student, rng):
    """The weight is one int8 tensor, and no float copy of it is held anywhere."""
    weight, bias = torch.randn((24, 96), generator=rng), torch.randn(24, generator=rng)
    handle = student.remote.linear(weight, bias)
    check_stored(student, student.StaticQuantizedLinear.from_float(handle, torch.tensor(0.1), 3), weight.numel())


@pytest.mark.task("2.4", item="values")
def test_linear_without_bias(student, rng):
    """A linear layer may have no bias; the zero point may be a 0-dim tensor."""
    weight, scale = on_grid((5, 16), 0.01, rng), torch.tensor(0.05)
    layer = student.StaticQuantizedLinear.from_float(student.remote.linear(weight), scale, torch.tensor(130))
    x = inputs_on_grid((4, 16), scale, 130, rng)
    check_output(student.remote.output(layer, x), x, weight, None, scale, 130)


# ------------------------------------------------------------------ 2.5 quantize_model_static


def kl(original, logits):
    """KL(original ‖ logits) in nats, the mean over all rows."""
    p, q = original.double().log_softmax(-1), logits.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())


def public_data(rng):
    """(plain data of the model, calibration batches, evaluation batches, the float model's logits, a KL to stay
    below).
    """
    model = models.load_model("tiny-bert")
    calibration = models.batches(models.load_batches("tiny-bert", "calibration"), 3, 16, rng)
    evaluation = models.batches(models.load_batches("tiny-bert", "evaluation"), 3, 16, rng)
    with torch.no_grad():
        original = torch.cat([model(**batch).logits for batch in evaluation])
        for matrix in [parameter for parameter in model.parameters() if parameter.dim() == 2]:
            matrix.copy_(rounded_rows(matrix, YARDSTICK_BITS))
        coarse = torch.cat([model(**batch).logits for batch in evaluation])
    return models.spec(models.load_model("tiny-bert")), calibration, evaluation, original, kl(original, coarse)


def random_batches(described, rng):
    """What an untrained model is calibrated with: tokens drawn at random."""
    ids = torch.randint(0, described["config"]["vocab_size"], (2, 16), generator=rng)
    return [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}]


def check_size(state, memory, described):
    """The file that a quantized model makes against the float one's."""
    ratio = artifacts.file_bytes(described["state"]) / artifacts.file_bytes(state, memory)
    words = f"the file is not {SMALLEST} times smaller than the float model's"
    expect.that(ratio >= SMALLEST, words, f"{ratio:.2f} times")


def joined(found, original):
    """The logits of all batches in one tensor, shaped as the float model's and finite."""
    logits = torch.cat([expect.tensor(part, "the model's logits") for part in found])
    logits = expect.tensor(logits, "the model's logits", shape=original.shape)
    expect.that(bool(torch.isfinite(logits).all()), "the model's logits hold NaN or infinity")
    return logits


def check_predictions(logits, original, most):
    """Close to the float model: KL at most `most`, and the same class nearly always."""
    lost = kl(original, logits)
    expect.that(lost <= most, "the outputs are too far from the float model's (KL)", f"{lost:.2e}, at most {most:.2e}")
    best, second = original.topk(2).values.unbind(-1)
    same = float((logits.argmax(-1) == original.argmax(-1))[best - second > NEAR_TIE].float().mean())
    expect.that(same >= SAME, f"less than {SAME:.0%} of the predictions are the float model's", f"{same:.1%}")


@pytest.mark.task("2.5", item="values")
def test_public_model(student, once, rng):
    """A new process that has only the state_dict and the source predicts as the float model does; the file is small."""
    described, calibration, evaluation, original, most = once("data", lambda: public_data(rng))
    quantized = student.quantize_model_static(student.remote.model(**described), calibration)
    state, memory = student.remote.state_dict(quantized), student.remote.shared(quantized)
    check_size(state, memory, described)
    student.fresh()
    untrained = student.remote.model(**models.skeleton_spec(described))
    loaded = student.quantize_model_static(untrained, random_batches(described, rng))
    student.remote.load_state_dict(loaded, state)
    check_predictions(joined(student.remote.logits(loaded, evaluation), original), original, most)


@pytest.mark.task("2.5", item="artifact")
def test_scales_are_fixed(student, rng):
    """A linear layer calibrated on values up to 3 takes values of a millionth for zeros: its scale is fixed."""
    weight, bias = torch.randn((4, 8), generator=rng), torch.randn(4, generator=rng)
    model = student.remote.sequential(student.remote.linear(weight, bias))
    data = (torch.rand((32, 8), generator=rng) * 2 - 1) * 3
    quantized = student.quantize_model_static(model, [{"input": data}])
    found = [
        expect.tensor(student.remote.output(quantized, x), "the output", shape=(2, 4))
        for x in (data[:2] * 1e-6, data[:2] * 0)
    ]
    expect.that(torch.equal(*found), "the layer's scale follows its input: that is dynamic, not static")


@pytest.mark.task("2.5", item="state")
def test_quantized_model_is_a_copy(student, rng):
    """The float model keeps its layers and its weights."""
    model = student.remote.sequential(student.remote.linear(torch.randn((4, 8), generator=rng)))
    student.remote.set_training(model, False)  # to restore another mode is the business of 2.3
    before = student.remote.condition(model)
    student.quantize_model_static(model, [{"input": torch.randn((9, 8), generator=rng)}])
    expect.that(student.remote.condition(model) == before, "the model that was handed over is changed; work on a copy")


# ------------------------------------------------------------------ 2.6 save_quantized, load_quantized

FILE = "quantized.safetensors"


def saved(student, quantized):
    """The one file that the student's function writes, as {name: bytes}."""
    folder = student.remote.folder()
    student.save_quantized(quantized, f"{folder}/{FILE}")
    files = student.remote.files(folder)
    expect.that(list(files) == [FILE], "expected one file, of exactly the given name", ", ".join(sorted(files)[:3]))
    return files


def tensors_of(files):
    """The tensors in the file, read by the grader itself."""
    try:
        return load(files[FILE].numpy().tobytes())
    except Exception as error:
        raise expect.MismatchError("the file is not a safetensors file") from error


def check_file(files, described):
    """The file is small as a whole and holds the weights as 8-bit integers."""
    tensors, written = tensors_of(files), sum(content.numel() for content in files.values())
    ratio = artifacts.file_bytes(described["state"]) / written
    words = f"what was written is not {SMALLEST} times smaller than the float model's file"
    expect.that(ratio >= SMALLEST, words, f"{ratio:.2f} times")
    integers = sum(t.numel() for t in tensors.values() if t.dtype in (torch.int8, torch.uint8))
    weights = sum(t.numel() for t in described["state"].values() if t.dim() == 2)
    expect.that(integers >= 0.8 * weights, "the file does not hold the model's weights as 8-bit integers")


def check_same(found, wanted):
    """The loaded model's outputs equal the saved one's, and follow the input at all."""
    found, wanted = (torch.cat([expect.tensor(t, "the model's logits") for t in parts]) for parts in (found, wanted))
    expect.close(found, wanted, "the output of the loaded model", rtol=1e-6, atol=1e-6)
    expect.that(bool((found != found[:1]).any()), "the outputs are the same for every input")


@pytest.mark.task("2.6", item="values")
def test_public_round_trip(student, once, rng):
    """One safetensors file, 3.5 times smaller; a new process that has only it and the source predicts the same."""
    described, calibration, evaluation, *_ = once("data", lambda: public_data(rng))
    quantized = student.quantize_model_static(student.remote.model(**described), calibration[:1])
    files = saved(student, quantized)
    check_file(files, described)
    wanted = student.remote.logits(quantized, evaluation[:1])
    student.fresh()
    loaded = student.load_quantized(f"{student.remote.put(files)}/{FILE}")
    check_same(student.remote.logits(loaded, evaluation[:1]), wanted)


@pytest.mark.task("2.6", item="artifact")
def test_another_configuration(student, rng):
    """A BERT of another size with another number of classes: the configuration comes from the file."""
    described = {"class_name": "BertForSequenceClassification", "config": SMALL_BERT, "state": None}
    batches = random_batches(described, rng)
    quantized = student.quantize_model_static(student.remote.model(**described), batches)
    files, wanted = saved(student, quantized), student.remote.logits(quantized, batches)
    student.fresh()
    check_same(student.remote.logits(student.load_quantized(f"{student.remote.put(files)}/{FILE}"), batches), wanted)


@pytest.mark.task("2.6", item="artifact")
def test_metadata_describes_the_model(student, rng):
    """The file's metadata name the transformers class and hold its configuration as JSON."""
    described = {"class_name": "BertForSequenceClassification", "config": SMALL_BERT, "state": None}
    quantized = student.quantize_model_static(student.remote.model(**described), random_batches(described, rng))
    data = saved(student, quantized)[FILE].numpy().tobytes()
    size = int.from_bytes(data[:8], "little")
    expect.that(size < len(data), "the file is not a safetensors file")
    text = json.dumps(json.loads(data[8 : 8 + size]).get("__metadata__", {}))
    squeezed = text.replace("\\n", "").replace("\\", "").replace(" ", "")
    for wanted in ("BertForSequenceClassification", '"hidden_size":32'):
        expect.that(wanted in squeezed, "the metadata lack the transformers class or its configuration", f"no {wanted}")
