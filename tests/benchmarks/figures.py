"""What each method of the course does to each of its models: size, quality, KL. Written into docs/figures.md by `make figures`.

The methods are the reference solutions'. Weights are quantized and restored, which gives the numbers that integer
arithmetic gives. Size: what a file of the codes, their scales (float32) and the tensors left in float32 takes.
"""

from __future__ import annotations

import argparse
import copy
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from autograder.grading.reference import reference_namespace
from autograder.lab.models import batches as in_batches
from autograder.lab.models import load_batches, load_model

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("tiny-bert", "tiny-gpt2", "tiny-llama")
GROUP = 128


def lab(slug: str) -> dict[str, Any]:
    """What the reference of a lab defines."""
    return reference_namespace(ROOT / "exercises" / slug, ROOT / "solutions" / slug)


STATIC, DYNAMIC, ADVANCED = map(lab, ("02_static_quantization", "03_dynamic_quantization", "04_advanced_ptq"))
CALIBRATORS: dict[str, Callable[[], Any]] = {
    "min-max": lambda: STATIC["MinMaxCalibrator"](bits=8, symmetric=True),
    "99.9 %": lambda: ADVANCED["PercentileCalibrator"](bits=8, symmetric=True, percentile=99.9),
    "KL": lambda: ADVANCED["KLCalibrator"](bits=8),
}


@dataclass
class Form:
    """A model with a method applied: the codes' bits and number of scales by layer, and what is done to inputs."""

    model: nn.Module
    bits: dict[str, int] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)

    def size(self) -> int:
        """Bytes; a tensor that is used twice is stored once."""
        weights = {id(weight_of(self.model.get_submodule(name))): name for name in self.bits}
        total, seen = 0, set()
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                name = weights.get(id(tensor))
                total += (
                    4 * tensor.numel()
                    if name is None
                    else -(-tensor.numel() * self.bits[name] // 8) + 4 * self.scales[name]
                )
        return total


def weight_of(layer: nn.Module) -> Tensor:
    """A layer's own weight parameter."""
    return layer.weight  # type: ignore[return-value]


def linears(model: nn.Module) -> dict[str, nn.Module]:
    """Every linear layer, the head included, by name."""
    return {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear | Conv1D)}


def rounded(model: nn.Module, bits: int, rows: Callable[[Tensor], Tensor]) -> Form:
    """Each weight [out, in] reshaped by `rows`, each row with a scale of its own, quantized and restored."""
    form = Form(copy.deepcopy(model))
    done: set[int] = set()
    for name, layer in linears(form.model).items():
        weight = weight_of(layer)
        turned = weight.data.T if isinstance(layer, Conv1D) else weight.data
        parts = rows(turned)
        form.bits[name], form.scales[name] = bits, parts.shape[0]
        if id(weight) not in done:
            done.add(id(weight))
            new = round_rows(parts, bits).reshape(turned.shape)
            weight.data = (new.T if isinstance(layer, Conv1D) else new).contiguous()
    return form


def round_rows(rows: Tensor, bits: int) -> Tensor:
    """Symmetric, one scale a row."""
    top = 2 ** (bits - 1) - 1
    amax = rows.abs().amax(dim=1, keepdim=True)
    scale = torch.where(amax == 0, 1.0, amax / top)
    return (rows / scale).round().clamp(-top - 1, top) * scale


def per_tensor(weight: Tensor) -> Tensor:
    return weight.reshape(1, -1)


def per_channel(weight: Tensor) -> Tensor:
    return weight


def in_groups(weight: Tensor) -> Tensor:
    return weight.reshape(-1, GROUP)


def with_inputs(form: Form, change: dict[str, Callable[[Tensor], Tensor]]) -> Form:
    """The same with each layer's input changed on its way in."""
    for name, function in change.items():
        form.model.get_submodule(name).register_forward_pre_hook(lambda _, args, f=function: (f(args[0]), *args[1:]))
    return form


def static(model: nn.Module, rows: list[Any], make: Callable[[], Any]) -> Form:
    """W8 per channel, A8 with one scale a tensor, found beforehand."""
    found: dict[str, Any] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, n=name: found.setdefault(n, make()).observe(args[0]))
        for name, layer in linears(model).items()
    ]
    with torch.no_grad():
        for batch in rows:
            model(**batch)
    for hook in hooks:
        hook.remove()
    scales = {name: float(calibrator.quantization_parameters()[0]) for name, calibrator in found.items()}

    def at(scale: float) -> Callable[[Tensor], Tensor]:
        return lambda x: (x / scale).round().clamp(-128, 127) * scale

    return with_inputs(rounded(model, 8, per_channel), {name: at(scale) for name, scale in scales.items()})


def dynamic(model: nn.Module, granularity: str) -> Form:
    """W8 per channel, A8 with scales of each input's own."""

    def restored(x: Tensor) -> Tensor:
        q, scale = DYNAMIC["dynamic_quantize"](x, bits=8, granularity=granularity)
        return q * scale

    form = rounded(model, 8, per_channel)
    return with_inputs(form, dict.fromkeys(form.bits, restored))


def mixed(model: nn.Module, rows: list[Any]) -> Form:
    """4.4 and 4.5: the least sum of sensitivities at four bits a weight on average."""
    sensitivity = ADVANCED["layer_sensitivity"](model, rows[:1])
    sizes = {name: weight_of(model.get_submodule(name)).numel() for name in sensitivity}
    plan = ADVANCED["assign_bits"](sensitivity, sizes, sum(sizes.values()) // 2)
    form = Form(ADVANCED["quantize_mixed"](model, plan), plan)
    for name in plan:
        layer = form.model.get_submodule(name)
        form.scales[name] = weight_of(layer).shape[1 if isinstance(layer, Conv1D) else 0]
    return form


def by_layer(model: nn.Module, rows: list[Any], method: Callable[[Tensor, Tensor], Tensor]) -> Form:
    """INT4 in groups of 128, each layer by a method that looks at its inputs in the float model."""
    form = rounded(model, 4, in_groups)
    for name, layer in linears(form.model).items():
        own = model.get_submodule(name)
        turned = weight_of(own).data.T if isinstance(own, Conv1D) else weight_of(own).data
        if weight_of(own) is model.get_input_embeddings().weight:
            continue  # a tied head: the embedding reads it, too, and stays as rounding made it
        seen: list[Tensor] = []
        hook = own.register_forward_pre_hook(lambda _, args, kept=seen: kept.append(args[0].flatten(0, -2)))
        with torch.no_grad():
            for batch in rows:
                model(**batch)
        hook.remove()
        if seen:
            new = method(turned, torch.cat(seen)[:4096])
            weight_of(layer).data = (new.T if isinstance(layer, Conv1D) else new).contiguous()
    return form


def gptq(weight: Tensor, inputs: Tensor) -> Tensor:
    """4.8, restored."""
    q, scale = ADVANCED["gptq_quantize"](weight, inputs, 4, GROUP)
    return (q.reshape(-1, GROUP) * scale.reshape(-1, 1)).reshape(weight.shape)


def awq(weight: Tensor, inputs: Tensor) -> Tensor:
    """4.9, restored; the scales go into the norm before, which this folds back."""
    scales = ADVANCED["awq_search"](weight, inputs, 4, GROUP)
    return round_rows((weight * scales).reshape(-1, GROUP), 4).reshape(weight.shape) / scales


def forms(model: nn.Module, rows: list[Any]) -> Iterator[tuple[str, Callable[[], Form]]]:
    """Every method by name."""
    yield "FP32", lambda: Form(model)
    yield "INT8 weights, per tensor", lambda: rounded(model, 8, per_tensor)
    yield "INT8 weights, per channel", lambda: rounded(model, 8, per_channel)
    for name, make in CALIBRATORS.items():
        yield f"static W8A8, {name}", lambda make=make: static(model, rows, make)
    yield "dynamic W8A8, per tensor", lambda: dynamic(model, "per_tensor")
    yield "dynamic W8A8, per token", lambda: dynamic(model, "per_token")
    yield "mixed 2 to 8 bits, 4 on average", lambda: mixed(model, rows)
    yield "INT4 weights, per channel", lambda: rounded(model, 4, per_channel)
    yield "INT4 weights, groups of 128", lambda: rounded(model, 4, in_groups)
    yield "INT4 GPTQ, groups of 128", lambda: by_layer(model, rows, gptq)
    yield "INT4 AWQ, groups of 128", lambda: by_layer(model, rows, awq)


def logits_of(model: nn.Module, rows: list[Any]) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(**{k: v for k, v in batch.items() if k != "labels"}).logits for batch in rows])


def quality(logits: Tensor, rows: list[Any]) -> str:
    """Accuracy in percent for the classifier, perplexity for a language model."""
    if logits.dim() == 2:
        labels = torch.cat([batch["labels"] for batch in rows])
        return f"{100 * (logits.argmax(-1) == labels).float().mean():.1f} %"
    ids = torch.cat([batch["input_ids"] for batch in rows])
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    return f"{loss.exp():.2f}"


def table(name: str, outliers: bool, count: int) -> list[str]:
    """One model's rows."""
    model = load_model(name, outliers=outliers)
    calibration = in_batches(load_batches(name, "calibration"), count=4, size=16)
    evaluation = in_batches(load_batches(name, "evaluation"), count=count, size=32, labels=name == "tiny-bert")
    wanted = logits_of(model, evaluation)
    rows = []
    for title, make in forms(model, calibration):
        form = make()
        logits = logits_of(form.model, evaluation)
        kl = float(ADVANCED["compute_kl_div"](wanted, logits)) if title != "FP32" else 0.0
        rows.append(f"| {title} | {form.size() / 1e6:.2f} | {quality(logits, evaluation)} | {kl:.2g} |")
    return rows


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures.md")
    parser.add_argument("--batches", type=int, default=4, help="of 32 rows, for evaluation")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    page = [
        "# What each method does to each model",
        "",
        "Made by `make figures` (tests/benchmarks/figures.py) with the reference solutions. Every linear layer is quantized, the head and",
        f"a tied embedding too (mixed precision leaves a tied head alone); calibration on 64 rows, evaluation on {32 * arguments.batches}. MB of 10^6 bytes; accuracy in percent or perplexity;",
        "KL from the float model in nats. *With outliers*: the same float function, two channels of each site 64 times louder.",
        "",
        f"Python {platform.python_version()}, torch {version('torch')}, transformers {version('transformers')}.",
    ]
    todo = [(name, outliers) for name in MODELS for outliers in (False, True)]
    for name, outliers in track(todo, "Measuring"):
        measure = "accuracy" if name == "tiny-bert" else "perplexity"
        page += ["", f"## {name}{', with outliers' if outliers else ''}", ""]
        page += [f"| method | MB | {measure} | KL |", "|---|---:|---:|---:|", *table(name, outliers, arguments.batches)]
    arguments.out.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
