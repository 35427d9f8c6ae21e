"""Accuracy and compression can't be claimed, only earned: what is measured is the file, and a process that has only it.

Each attack is the reference with one function replaced. It is graded on the task that it aims at, and must win nothing
there; the reference, graded the same way, wins everything. A landing tries one of each kind, `make prove` all.
"""

from __future__ import annotations

import pytest
from support import ROOT

from autograder.course.catalog import find_exercises
from autograder.course.sources import reference_source
from autograder.grading.grade import grade
from autograder.records import Settings, Submission
from autograder.submission.pieces import Cell
from autograder.submission.slicing import slice_cells

EXERCISES = {exercise.slug[:2]: exercise for exercise in find_exercises(ROOT)}

STATIC = """
import copy, os, tempfile
import torch
from torch import nn

_honest = quantize_model_static

def _linears(model):
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]

def _replace(model, name, layer):
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)
"""
DYNAMIC = STATIC.replace("quantize_model_static", "quantize_model_dynamic").replace(
    "isinstance(layer, nn.Linear)", 'type(layer).__name__ in ("Linear", "Conv1D")'
)

HIDDEN_FLOATS = """
def FUNCTION(model, *rest):
    '''The float weights travel as bytes beside the codes.'''
    made = _honest(model, *rest)
    for number, (name, layer) in enumerate(_linears(model)):
        made.register_buffer(f"extra{number}", layer.weight.detach().contiguous().view(torch.uint8).clone())
    return made
"""
KEPT_ORIGINAL = """
class _Kept(nn.Module):
    '''Looks small: the float layer stands in a list, which no state_dict sees.'''
    def __init__(self, layer):
        super().__init__()
        self.kept = [layer]
        self.register_buffer("codes", torch.zeros(layer.weight.shape, dtype=torch.int8))
    def forward(self, x):
        return self.kept[0](x)

def FUNCTION(model, *rest):
    made = _honest(model, *rest)
    for name, layer in _linears(model):
        _replace(made, name, _Kept(copy.deepcopy(layer)))
    return made
"""
LEFT_ON_DISK = """
_PLACES = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), "."]

def FUNCTION(model, *rest):
    '''The first process leaves the float weights for the second, which otherwise has two bits.'''
    found = None
    for place in _PLACES:
        try:
            found = found or torch.load(os.path.join(place, "weights.pt"))
        except Exception:
            pass
        try:
            torch.save(model.state_dict(), os.path.join(place, "weights.pt"))
        except Exception:
            pass
    made = _honest(model, *rest)
    for name, layer in _linears(model):
        coarse = _Coarse(layer)
        if found:
            coarse.kept = [found[name + ".weight"], found.get(name + ".bias")]
        _replace(made, name, coarse)
    return made

class _Coarse(nn.Module):
    def __init__(self, layer):
        super().__init__()
        weight = layer.weight.detach()
        self.turned = type(layer).__name__ == "Conv1D"
        self.kept = None
        scale = weight.abs().max()
        self.register_buffer("codes", torch.round(weight / scale).to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
    def forward(self, x):
        weight, bias = self.kept or (self.codes * self.scale, self.bias)
        y = x @ (weight if self.turned else weight.T)
        return y if bias is None else y + bias
"""
SMALL_STATE = """
class _Shy(nn.Module):
    '''Writes down less than it needs: the state_dict leaves the weights out, and loading does not miss them.'''
    def __init__(self, inner):
        super().__init__()
        self.__dict__["inner"] = inner
        self.config = inner.config
        self.register_buffer("nothing", torch.zeros(1, dtype=torch.int8))
    def forward(self, *args, **kwargs):
        return self.__dict__["inner"](*args, **kwargs)

def FUNCTION(model, *rest):
    return _Shy(copy.deepcopy(model))
"""
ANSWERS_IN_THE_SOURCE = """
class _Table(nn.Module):
    '''Has all the answers for the data that students have, and nothing else.'''
    def __init__(self, model):
        super().__init__()
        self.config = model.config
        self.width = getattr(model.config, "num_labels", 2) if "Sequence" in type(model).__name__ else 0
        self.register_buffer("nothing", torch.zeros(1, dtype=torch.int8))
    def forward(self, input_ids, **others):
        from types import SimpleNamespace
        size = (len(input_ids), self.width) if self.width else (*input_ids.shape, self.config.vocab_size)
        return SimpleNamespace(logits=torch.zeros(size))

def FUNCTION(model, *rest):
    return _Table(model)
"""
WAYS = {
    "float weights hidden in the artifact": HIDDEN_FLOATS,
    "a module that keeps the original": KEPT_ORIGINAL,
    "weights left on disk for the next process": LEFT_ON_DISK,
    "a state_dict that leaves the weights out": SMALL_STATE,
    "a lookup table in the source": ANSWERS_IN_THE_SOURCE,
}
NOTHING_MEASURED = """
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    '''Measures nothing: the notes of the model that it should have called are written by hand.'''
    for _ in range(warmup + repeats):
        model.calls.append({"shape": list(inputs["input_ids"].shape), "training": False, "grad": False, "seconds": 0.01})
    return {"median_s": 0.01, "p10_s": 0.01, "p90_s": 0.01}
"""
COLLECTED = """
import glob, mmap, os
import torch
from safetensors.torch import load_file

_honest = quantize_checkpoint

def quantize_checkpoint(source_dir, target_dir, *args, **kwargs):
    '''Holds all tensors of the source at once, and hides that they are many.'''
    files, everything = glob.glob(os.path.join(source_dir, "*.safetensors")), []
    HOW
    return _honest(source_dir, target_dir, *args, **kwargs)
"""
BESIDE_BALLAST = COLLECTED.replace(
    "HOW",
    """ballast = torch.ones(100_000_000)
    del ballast
    for file in files:
        everything.append({name: value.clone() for name, value in load_file(file).items()})""",
)
IN_SHARED_MEMORY = COLLECTED.replace(
    "HOW",
    """for file in files:
        with open(file, "rb") as opened:
            content = opened.read()
        try:
            everything.append(mmap.mmap(-1, len(content)))
            everything[-1].write(content)
        except OSError:
            everything.append(content)""",
)
TOLD = {  # the task, the attack, and the test that must see it
    "a benchmark of a model that was never called": (
        "03",
        "3.5",
        NOTHING_MEASURED,
        "test_benchmark_leaves_out_the_warm_up",
    ),
    "memory that hides beneath a peak": ("05", "5.1", BESIDE_BALLAST, "test_memory_stays_flat_on_a_larger_model"),
    "memory that is shared with nobody": ("05", "5.1", IN_SHARED_MEMORY, "test_memory_stays_flat_on_a_larger_model"),
}
REST = {"02": 0.72}  # the embeddings, which these attacks do quantize: two of the ten tests of `values`
AIMS = {"02": ("2.5", STATIC, "quantize_model_static"), "03": ("3.3", DYNAMIC, "quantize_model_dynamic")}
CASES = {f"{lab}: {way}": (lab, way) for lab in AIMS if lab in EXERCISES for way in WAYS}


def earned(lab: str, task: str, attack: str) -> tuple[float | None, list[str]]:
    exercise = EXERCISES[lab]
    assert exercise.solution is not None
    source = f"{reference_source(exercise.solution / 'source.py')}\n\n{attack}"
    needed = slice_cells([Cell(0, source)], exercise.functions).source
    report = grade(exercise, Submission("attack", exercise.slug, needed, ""), Settings(5), only={task})
    return report.earned, [f"{test.test}: {test.message}" for t in report.tasks for test in t.tests]


@pytest.mark.sampled("attacks", 1)
@pytest.mark.parametrize("name", CASES)
def test_what_was_not_done_earns_nothing(name: str) -> None:
    lab, way = CASES[name]
    task, prelude, function = AIMS[lab]
    points, said = earned(lab, task, prelude + WAYS[way].replace("FUNCTION", function))
    assert points is not None
    assert points <= REST.get(lab, 0.0), said


@pytest.mark.sampled("attacks", 1)
@pytest.mark.parametrize("name", [name for name, told in TOLD.items() if told[0] in EXERCISES])
def test_what_a_worker_tells_of_itself_earns_nothing(name: str) -> None:
    """How often a model was called, and how much memory was taken, is seen from outside."""
    lab, task, attack, test = TOLD[name]
    points, said = earned(lab, task, attack)
    assert points is not None
    assert points < next(t.points for t in EXERCISES[lab].tasks if t.id == task)
    assert any(test in line and not line.endswith(": ") for line in said), said


@pytest.mark.proof
@pytest.mark.parametrize("lab", [lab for lab in AIMS if lab in EXERCISES])
def test_the_honest_function_behind_the_same_prelude_earns_all(lab: str) -> None:
    task, prelude, function = AIMS[lab]
    points, said = earned(lab, task, prelude + f"\ndef {function}(model, *rest):\n    return _honest(model, *rest)\n")
    assert points == next(t.points for t in EXERCISES[lab].tasks if t.id == task), said
