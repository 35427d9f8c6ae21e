"""The kit's own functions at the student's end, in this process and in a worker: both ways give the same."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from autograder.records import Limits
from autograder.runtime.errors import CrashedError, StudentError
from autograder.sandbox.worker import Worker
from autograder.submission.loading import load_module
from autograder.testing.proxy import Handle, InProcess, Student

SOURCE = """
import os, tempfile, torch
from torch import nn

seen = []

def spoil(model):
    model.train()
    model.register_forward_hook(lambda *_: None)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    next(model.parameters()).requires_grad_(False)

def remember(x):
    seen.append(x)
    return len(seen)

def calibrate(x, make):
    made = {name: make() for name in ("a", "b")}
    with torch.no_grad():
        made["a"].observe(x)
    made["b"].observe(x * 2)
    return {name: one.quantization_parameters() for name, one in made.items()}

def write(folder):
    os.makedirs(folder + "/inner")
    open(folder + "/inner/b.bin", "wb").write(b"abc")
    open(folder + "/a", "wb").close()

def leave_behind():
    open(os.path.join(tempfile.gettempdir(), "left behind"), "w").close()

def left_behind():
    return os.path.exists(os.path.join(tempfile.gettempdir(), "left behind"))

def come_and_go():
    blocks = [bytearray(b"\\1") * (4 << 20) for _ in range(20)]
    return len(blocks)

def take(megabytes):
    return float(torch.ones(megabytes << 18).sum()) > 0

class NotOnlyTensors(nn.Module):
    def get_extra_state(self):
        return {"weight": "elsewhere"}
    def set_extra_state(self, state):
        pass
"""

CONFIG = {
    "vocab_size": 32,
    "n_embd": 16,
    "n_layer": 1,
    "n_head": 2,
    "n_positions": 8,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


@pytest.fixture(scope="module", params=["in process", "worker"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Student]]:
    if request.param == "in process":
        yield lambda: Student(InProcess(vars(load_module(textwrap.dedent(SOURCE), "student").module)))
        return
    preload = ("transformers.models.gpt2.modeling_gpt2",)
    with Worker(textwrap.dedent(SOURCE), Limits(scratch_mb=32), preload=preload) as worker:
        yield lambda: Student(worker)


@pytest.fixture
def student(make: Callable[[], Student]) -> Student:
    return make()


def test_layers_have_the_given_weights(student: Student) -> None:
    weight, bias, x = torch.randn(3, 4), torch.randn(3), torch.randn(2, 4)
    assert torch.equal(
        student.remote.output(student.remote.linear(weight, bias), x), nn.functional.linear(x, weight, bias)
    )
    assert torch.equal(student.remote.output(student.remote.linear(weight), x), nn.functional.linear(x, weight))
    torch.testing.assert_close(student.remote.output(student.remote.conv1d(weight.T, bias), x), x @ weight.T + bias)
    assert torch.equal(student.remote.output(student.remote.embedding(weight), torch.tensor([2, 0])), weight[[2, 0]])
    torch.testing.assert_close(
        student.remote.output(student.remote.layer_norm(torch.full((4,), 2.0), torch.ones(4)), x),
        nn.functional.layer_norm(x, (4,)) * 2 + 1,
    )
    torch.testing.assert_close(
        student.remote.output(student.remote.rms_norm(torch.full((4,), 2.0)), x),
        x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * 2,
    )
    both = student.remote.sequential(student.remote.linear(weight), student.remote.linear(torch.eye(3)))
    assert student.remote.modules(both) == {"": "Sequential", "0": "Linear", "1": "Linear"}


def test_a_model_is_built_from_plain_data_with_its_head_tied(student: Student) -> None:
    untrained = student.remote.model("GPT2LMHeadModel", CONFIG)
    state = student.remote.state_dict(untrained)
    kept = {name: value + 1 for name, value in state.items() if name != "lm_head.weight"}
    model = student.remote.model("GPT2LMHeadModel", CONFIG, kept)
    assert student.remote.tied(model, "lm_head.weight", "transformer.wte.weight")
    assert torch.equal(student.remote.state_dict(model)["lm_head.weight"], state["lm_head.weight"] + 1)
    (first,) = student.remote.logits(model, [{"input_ids": torch.zeros(1, 3, dtype=torch.int64)}])
    assert first.shape == (1, 3, 32)
    with pytest.raises(ValueError, match="missing .'transformer.ln_f.bias'"):
        student.remote.model("GPT2LMHeadModel", CONFIG, {k: v for k, v in kept.items() if k != "transformer.ln_f.bias"})
    with pytest.raises(ValueError, match="expected one of"):
        student.remote.model("AutoModel", CONFIG)


def test_an_untrained_model_is_always_the_same_and_leaves_the_generator_alone(student: Student) -> None:
    one, two = (student.remote.model("GPT2LMHeadModel", CONFIG) for _ in range(2))
    assert student.remote.condition(one) == student.remote.condition(two)


def test_the_condition_of_a_model_tells_what_was_changed(student: Student) -> None:
    layer = student.remote.linear(torch.ones(2, 2))
    before = student.remote.condition(layer)
    assert student.remote.condition(layer) == before
    student.remote.output(layer, torch.ones(1, 2))
    assert student.remote.condition(layer) == before
    student.spoil(layer)
    after = student.remote.condition(layer)
    assert {name for name in before if before[name] != after[name]} == {"hooks", "requires_grad", "values"}


def test_a_state_that_does_not_fit_is_named(student: Student) -> None:
    layer = student.remote.linear(torch.ones(2, 2))
    with pytest.raises(ValueError, match="missing weight, unexpected scale"):
        student.remote.load_state_dict(layer, {"scale": torch.ones(1)})
    with pytest.raises(ValueError, match=r"weight is \[2, 2\], not \[4\]"):
        student.remote.load_state_dict(layer, {"weight": torch.ones(4)})
    student.remote.load_state_dict(layer, {"weight": torch.zeros(2, 2)})
    assert not layer.weight.any()
    with pytest.raises(TypeError, match="got dict"):
        student.remote.state_dict(student.NotOnlyTensors())


def test_a_recorder_notes_what_it_is_shown_and_tells_which_one_was_asked(student: Student) -> None:
    factory = student.remote.recorder()
    found = student.calibrate(torch.tensor([-1.0, 3.0]), factory)
    assert found == {"a": (torch.tensor(1.0), 0), "b": (torch.tensor(2.0), 1)}
    (first,), (second,) = student.remote.recorded(factory)
    assert first == {"count": 2, "shape": [2], "amin": -1.0, "amax": 3.0, "checksum": 2.0, "grad": False}
    assert (second["amax"], second["grad"]) == (6.0, True)


def test_files_cross_as_bytes(student: Student) -> None:
    folder = student.remote.folder()
    student.write(folder)
    found = student.remote.files(folder)
    assert {name: bytes(content.tolist()) for name, content in found.items()} == {"a": b"", "inner/b.bin": b"abc"}
    again = student.remote.files(student.remote.put(found))
    assert {name: content.tolist() for name, content in again.items()} == {"a": [], "inner/b.bin": [97, 98, 99]}
    assert list(student.remote.files(f"{folder}/a")) == ["a"]
    with pytest.raises(ValueError, match="there is none"):
        student.remote.files(f"{folder}/nothing")
    with pytest.raises(ValueError, match="below the folder"):
        student.remote.put({"../a": torch.zeros(1, dtype=torch.uint8)})


def test_the_memory_of_a_call_is_seen_from_outside(student: Student) -> None:
    with student.measuring():
        student.take(200)
    assert student.last_call is not None
    large = student.last_call.peak_growth_mb
    with student.measuring():
        student.take(1)
    assert large is not None
    assert 150 < large < 260
    assert student.last_call.peak_growth_mb is not None
    assert student.last_call.peak_growth_mb < 20


def test_what_was_freed_is_not_counted_as_held(student: Student) -> None:
    """The C library keeps freed blocks of some MB with the process: they are given back before a call is measured."""
    starts = []
    for _ in range(6):
        with student.measuring():
            student.come_and_go()
        assert student.last_call is not None
        starts.append(student.last_call.start_mb)
    assert None not in starts
    assert max(starts) - min(starts) < 20


def test_a_reader_sees_the_submissions_calls_and_not_the_kits(student: Student) -> None:
    student.remember(1)
    student.remote.folder()
    assert student.last_call is not None
    assert student.last_call.text == "remember(1)"


def test_an_evaluator_has_no_submission_and_no_files(student: Student) -> None:
    folder = student.remote.folder()
    student.write(folder)
    other = student.evaluator()
    with pytest.raises(Exception, match="remember is not defined"):
        other.remember(1)
    if isinstance(student._endpoint, Worker):
        with pytest.raises(ValueError, match="there is none"):
            other.remote.files(folder)
    assert student.remember(1) >= 1


def test_a_fresh_process_has_neither_objects_nor_files_nor_memories() -> None:
    with Worker(textwrap.dedent(SOURCE), Limits()) as worker:
        student = Student(worker)
        layer = student.remote.linear(torch.ones(2, 2))
        folder = student.remote.folder()
        student.write(folder)
        student.leave_behind()
        assert (student.remember(1), student.remember(1), student.left_behind()) == (1, 2, True)
        student = student.fresh()
        assert (student.remember(1), student.left_behind()) == (1, False)
        with pytest.raises(ValueError, match="there is none"):
            student.remote.files(folder)
        with pytest.raises(CrashedError, match="lost"):
            student.remote.state_dict(layer)


def test_a_handle_of_the_kit_can_be_called_and_asked(student: Student) -> None:
    layer = student.remote.linear(torch.ones(1, 2))
    assert isinstance(layer, Handle)
    assert torch.equal(layer.weight, torch.ones(1, 2))
    assert student.remote.submodule(student.remote.sequential(layer), "0").weight.shape == (1, 2)


def test_what_an_exercise_needs_and_is_not_there_is_our_own_fault() -> None:
    from autograder.sandbox.worker import ZygoteError

    with Worker("", Limits(), preload=("no_such_library",)) as worker, pytest.raises(ZygoteError, match="no_such"):
        Student(worker).remote.folder()
    assert not issubclass(ZygoteError, StudentError)
