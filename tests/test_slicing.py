"""The dependency slice: what it keeps and drops, and that lab 01 survives it with every habit in full."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from autograder.loading import load_module
from autograder.model import Exercise, Limits, Task
from autograder.notebook import read_submission

TASKS = {
    "1.1": ("symmetric_quantization",),
    "1.2": ("asymmetric_quantization",),
    "1.3": ("dequantize",),
    "1.4": ("BasicQuantizer",),
    "1.5": ("per_channel_quantization",),
    "1.6": ("group_quantization",),
    "1.7": ("pack_int4", "unpack_int4"),
    "1.8": ("compute_sqnr", "compute_cosine_sim", "compute_kl_div"),
}
LAB = Exercise(
    "01_basic_quantization",
    {},
    tuple(Task(key, {}, names, 1.0, {}) for key, names in TASKS.items()),
    Limits(),
    Path("exercises/01_basic_quantization"),
)


def script(name: str) -> ModuleType:
    """A module that lies beside the submissions, which no package holds."""
    path = Path(__file__).parent / "submissions" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"submissions_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


HABITS = script("habits")


def answers(module: ModuleType) -> dict[str, torch.Tensor]:
    """What each graded name of lab 01 returns on a few tensors, errors included."""
    g = torch.Generator().manual_seed(7)
    w = torch.randn(6, 8, generator=g)
    found: dict[str, torch.Tensor] = {}
    for bits in (2, 5, 8):
        q, scale = module.symmetric_quantization(w, bits)
        u, scale_u, zero_point = module.asymmetric_quantization(w + 1, bits=bits)
        back = module.dequantize(u, scale_u, zero_point)
        found |= {f"q{bits}": q, f"s{bits}": scale, f"u{bits}": u, f"su{bits}": scale_u, f"zp{bits}": zero_point}
        found |= {f"back{bits}": back, f"restored{bits}": module.dequantize(q, scale)}
        for symmetric in (True, False):
            quantizer = module.BasicQuantizer(bits=bits, symmetric=symmetric)
            with pytest.raises(RuntimeError):
                quantizer.quantize(w)
            quantizer.calibrate(w)
            found[f"quantizer{bits}{symmetric}"] = quantizer.dequantize(quantizer.quantize(2 * w))
    found["zeros"] = module.dequantize(*module.symmetric_quantization(torch.zeros(3)))
    found["channels"] = module.per_channel_quantization(w, axis=-1)[1]
    found["groups"] = module.group_quantization(w, group_size=4)[1]
    found["bytes"] = module.pack_int4(module.symmetric_quantization(w, 4)[0])
    found["nibbles"] = module.unpack_int4(found["bytes"])
    found["sqnr"] = torch.as_tensor(module.compute_sqnr(w, w.round()))
    found["cosine"] = torch.as_tensor(module.compute_cosine_sim(w, w.round()))
    found["kl"] = torch.as_tensor(module.compute_kl_div(w, w.round()))
    for wrong in (torch.empty(0), torch.tensor([torch.nan])):
        with pytest.raises(ValueError):
            module.symmetric_quantization(wrong)
    with pytest.raises(ValueError):
        module.pack_int4(torch.tensor([8, 0]))
    return {name: torch.as_tensor(value) for name, value in found.items()}


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    return answers(load_module("\n".join(code for _, code in HABITS._titled("_plain")), "plain").module)


@pytest.mark.parametrize("habit", HABITS.NAMES)
def test_a_habit_survives_the_slice(habit: str, expected: dict[str, torch.Tensor], tmp_path: Path) -> None:
    submission = read_submission(HABITS.write(habit, tmp_path), LAB, "ann")
    assert submission.problem == ""
    loaded = load_module(submission.source, f"habit_{habit}")
    assert loaded.problems == ()
    got = answers(loaded.module)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype or name in ("zp2", "zp5", "zp8", "sqnr", "cosine")
        torch.testing.assert_close(got[name], value, check_dtype=False, msg=lambda text, name=name: f"{name}: {text}")
    for text in HABITS.header(habit, "drops"):
        assert text not in submission.source
    for text in HABITS.header(habit, "notes"):
        assert any(text in note for note in submission.notes)
