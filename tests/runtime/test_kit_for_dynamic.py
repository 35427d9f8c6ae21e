"""What lab 03's tests stand on: probes, what a module holds, the size of a file, uneven rows, functions of a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from autograder.lab.rescaling.query_key_rows import with_uneven_rows
from autograder.records import Limits, PtqlabError
from autograder.runtime.errors import MissingError
from autograder.runtime.kit.modules import model as build
from autograder.sandbox.worker import Worker
from autograder.submission.loading import load_module
from autograder.testing.artifacts import file_bytes
from autograder.testing.proxy import InProcess, Student

SOURCE = """
import torch
from torch import nn

class Halves(nn.Module):
    @classmethod
    def from_float(cls, layer):
        made = cls()
        made.register_buffer("weight", layer.weight.detach().half())
        made.twin = [made.weight]
        made.extra = {"copies": [layer.weight.detach().clone()]}
        made.hidden = [nn.Linear(3, 5, bias=False).double(), made.twin]
        made.array = layer.weight.detach().numpy().astype("float32")
        return made

class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("one", torch.arange(6.0).reshape(2, 3))
        self.register_buffer("same", self.one)
        self.register_buffer("equal", self.one.clone())

def use(model, batch):
    model.train()
    model(**batch)
    with torch.no_grad():
        return model.eval()(**batch).logits
"""

GPT2 = {
    "vocab_size": 32,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 8,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LLAMA = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


@pytest.fixture(scope="module", params=["in process", "worker"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Student]]:
    if request.param == "in process":
        yield lambda: Student(InProcess(vars(load_module(SOURCE, "student").module)))
        return
    with Worker(SOURCE, Limits()) as worker:
        yield lambda: Student(worker)


@pytest.fixture
def student(make: Callable[[], Student]) -> Student:
    return make()


def test_a_function_of_a_class_can_be_called(student: Student) -> None:
    layer = student.Halves.from_float(student.remote.linear(torch.ones(2, 3)))
    assert student.last_call is not None
    assert student.last_call.text.startswith("Halves.from_float(")
    assert layer.weight.dtype == torch.float16
    with pytest.raises(AttributeError):
        student.Halves.from_nowhere(1)
    with pytest.raises(MissingError, match="Nothing is not defined"):
        student.Nothing.from_float(1)


def test_held_counts_what_is_not_registered_and_each_memory_once(student: Student) -> None:
    layer = student.Halves.from_float(student.remote.linear(torch.ones(2, 3)))
    assert student.remote.held(layer) == {"float16": 12, "float32": 48, "float64": 120}


def test_shared_tells_the_same_memory_from_equal_values(student: Student) -> None:
    found = student.remote.shared(student.Twice())
    assert found["one"] == found["same"] != found["equal"]


def test_a_probe_answers_from_its_table_and_notes_its_calls(student: Student) -> None:
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    probe = student.remote.probe(table, dropout=0.9, seconds=[0.02, 0.0])
    batch = {"input_ids": torch.tensor([[0, 1, 1]])}
    assert torch.equal(student.use(probe, batch), table[batch["input_ids"]])
    first, second = student.remote.noted(probe)
    assert (first["shape"], first["training"], first["grad"]) == ([1, 3], True, True)
    assert (second["training"], second["grad"]) == (False, False)
    assert first["seconds"] >= 0.02
    assert first["others"] == []
    student.remote.logits(probe, [batch | {"token_type_ids": torch.tensor([[0, 1, 2]])}])
    assert student.remote.noted(probe)[-1]["others"] == ["token_type_ids"]
    student.remote.set_training(probe, True)
    assert "" in student.remote.condition(probe)["training"]


def test_a_probes_logits_depend_on_the_types_of_its_tokens(student: Student) -> None:
    """A test can tell who hands a batch on without some of its tensors."""
    batch = {"input_ids": torch.tensor([[0, 0]]), "token_type_ids": torch.tensor([[0, 2]])}
    (found,) = student.remote.logits(student.remote.probe(torch.tensor([[1.0, 2.0], [3.0, 4.0]])), [batch])
    assert found.tolist() == [[[1.0, 2.0], [3.0, 6.0]]]


def test_a_file_holds_tied_tensors_once_and_equal_ones_twice() -> None:
    large, small = torch.randn(100, 50), torch.zeros(3, dtype=torch.int8)
    alone = file_bytes({"a": large, "s": small})
    assert alone > 20_003
    tied = file_bytes({"a": large, "b": large, "s": small}, {"a": 0, "b": 0, "s": 1})
    assert alone < tied < alone + 64
    assert file_bytes({"a": large, "b": large.T, "s": small}, {"a": 0, "b": 0, "s": 1}) == tied
    assert file_bytes({"a": large, "b": large}, {"a": 0, "b": 1}) > 40_000
    assert file_bytes({"a": large, "b": large + 1}, {"a": 0, "b": 0}) > 40_000
    assert file_bytes({"a": large, "b": large}) > 40_000
    assert file_bytes({"n" * 5000: small}) > 5000


@pytest.mark.parametrize(("kind", "config"), [("GPT2LMHeadModel", GPT2), ("LlamaForCausalLM", LLAMA)])
def test_uneven_rows_leave_the_logits_equal_to_the_bit(kind: str, config: dict[str, int]) -> None:
    model, batch = build(kind, config), {"input_ids": torch.arange(16).reshape(2, 8)}
    uneven = with_uneven_rows(model)
    with torch.no_grad():
        assert torch.equal(model(**batch).logits, uneven(**batch).logits)
    name = next(n for n, _ in model.named_parameters() if n.endswith(("c_attn.weight", "q_proj.weight")))
    before, after = model.get_parameter(name), uneven.get_parameter(name)
    assert (after / before).nan_to_num(1.0).aminmax() == (2.0**-5, 2.0**5)


def test_uneven_rows_need_attention() -> None:
    with pytest.raises(PtqlabError, match="got Linear"):
        with_uneven_rows(torch.nn.Linear(2, 2))
