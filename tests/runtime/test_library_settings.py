"""What a student's code sets for a whole library holds for that code, and not for what the kit does beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from autograder.records import Limits
from autograder.sandbox.worker import Worker
from autograder.testing.proxy import Student

SETTINGS = """
import torch
torch.set_grad_enabled(False)
torch.set_default_dtype(torch.float64)
torch.manual_seed(3)

def drawn(): return torch.rand(2)
def mode(): return torch.is_grad_enabled(), torch.get_default_dtype()
class Two(torch.nn.Module):
    def forward(self, x): return torch.tensor([2.0]) + 0 * x
def two(): return Two()
"""
GPT2 = {"n_embd": 4, "n_layer": 1, "n_head": 1, "vocab_size": 5, "n_positions": 4}


@pytest.fixture
def student() -> Iterator[Student]:
    with Worker(SETTINGS, Limits()) as worker:
        yield Student(worker)


def test_a_model_of_the_kit_is_made_as_without_the_settings(student: Student) -> None:
    """float32, with parameters that want gradients; the settings are back afterwards."""
    model = student.remote.model("GPT2LMHeadModel", GPT2)
    state = student.remote.state_dict(model)
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert student.remote.condition(model)["requires_grad"]
    assert tuple(student.mode()) == (False, torch.float64)


def test_a_students_model_is_called_with_the_settings(student: Student) -> None:
    assert student.remote.output(student.two(), torch.ones(1)).dtype == torch.float64


def test_what_the_kit_draws_is_not_drawn_from_the_students_seed(student: Student) -> None:
    first = student.drawn()
    with Worker(SETTINGS, Limits()) as worker:
        other = Student(worker)
        other.remote.conv1d(torch.ones(3, 4))
        assert torch.equal(other.drawn(), first)


def test_the_kit_leaves_the_settings_though_it_fails(student: Student) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        student.remote.model("NoSuchModel", GPT2)
    assert tuple(student.mode()) == (False, torch.float64)
