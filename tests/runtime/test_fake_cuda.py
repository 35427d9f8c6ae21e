"""The CUDA that isn't there: whoever waits for the device is seen waiting, in every way that torch has, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.cuda import is_available as own_is_available
from torch.cuda import synchronize as own_synchronize

from autograder.runtime import kit

CALLS = 3


def device(t: SimpleNamespace) -> torch.device:
    return next(t.model.parameters()).device


WAITS: dict[str, Callable[[SimpleNamespace], Any]] = {
    "cuda": lambda t: torch.cuda.is_available() and torch.cuda.synchronize(),
    "imported_before": lambda t: own_is_available() and own_synchronize(),
    "models_device": lambda t: device(t).type == "cuda" and torch.cuda.synchronize(device(t)),
    "models_own_word": lambda t: t.model.device.type == "cuda" and torch.cuda.synchronize(),
    "inputs_device": lambda t: t.inputs["input_ids"].is_cuda and torch.cuda.synchronize(),
    "outputs_device": lambda t: t.out.logits.is_cuda and torch.cuda.synchronize(),
    "accelerator": lambda t: torch.accelerator.is_available() and torch.accelerator.synchronize(),
    "current_accelerator": lambda t: (
        torch.accelerator.current_accelerator() is not None and torch.accelerator.synchronize()
    ),
    "device_module": lambda t: torch.get_device_module(device(t)).synchronize(),
    "stream": lambda t: torch.cuda.current_stream().synchronize(),
    "event": lambda t: torch.cuda.current_stream().record_event().synchronize(),
    "one_value": lambda t: t.out.logits.sum().item(),
    "all_values": lambda t: t.out.logits.cpu(),
    "moved": lambda t: t.out.logits.to("cpu"),
    "printed": lambda t: t.out.logits.cpu().numpy().tolist(),
}
NO_WAITS: dict[str, Callable[[SimpleNamespace], Any]] = {
    "nothing": lambda t: None,
    "moved_where_it_is": lambda t: t.inputs["input_ids"].to(device(t)),
    "model_moved_where_it_is": lambda t: (t.model.to("cuda"), t.model.to(torch.device("cuda")), t.model.cuda()),
    "asked_only": lambda t: torch.cuda.is_available(),
    "arithmetic": lambda t: (t.out.logits * 2).sum(),
}


@pytest.fixture
def on_cuda() -> Iterator[SimpleNamespace]:
    model = kit.FUNCTIONS["probe"](torch.eye(2))
    kit.FUNCTIONS["cuda_begins"](model)
    yield SimpleNamespace(model=model, inputs={"input_ids": kit.FUNCTIONS["on_cuda"](torch.tensor([[0, 1, 1]]))})
    kit.FUNCTIONS["cuda_ends"]()


def waited(t: SimpleNamespace) -> list[bool]:
    return [call["waited"] for call in kit.FUNCTIONS["noted"](t.model)]


@pytest.mark.parametrize("inference", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("way", WAITS)
def test_every_way_of_waiting_is_seen(on_cuda: SimpleNamespace, way: str, inference: Callable[[], Any]) -> None:
    """After each call but the first."""
    with inference():
        for number in range(CALLS):
            on_cuda.out = on_cuda.model(**on_cuda.inputs)
            if number:
                WAITS[way](on_cuda)
    assert waited(on_cuda) == [False, True, True]


@pytest.mark.parametrize("way", NO_WAITS)
def test_nothing_else_is_taken_for_waiting(on_cuda: SimpleNamespace, way: str) -> None:
    with torch.no_grad():
        for _ in range(CALLS):
            on_cuda.out = on_cuda.model(**on_cuda.inputs)
            NO_WAITS[way](on_cuda)
    assert waited(on_cuda) == [False] * CALLS


def test_events_are_read_when_all_is_over(on_cuda: SimpleNamespace) -> None:
    """The time between two events is the device's own, whenever it is asked for."""
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(CALLS)]
    for start, end in pairs:
        start.record()
        on_cuda.model(**on_cuda.inputs)
        end.record()
    assert not any(waited(on_cuda))
    torch.cuda.synchronize()
    assert all(0 < start.elapsed_time(end) < 1e4 for start, end in pairs)
    assert all(waited(on_cuda))


def test_values_are_right(on_cuda: SimpleNamespace) -> None:
    assert on_cuda.model(**on_cuda.inputs).logits.cpu().tolist() == torch.eye(2)[[0, 1, 1]][None].tolist()


def test_afterwards_torch_is_what_it_was() -> None:
    """Its functions, their aliases and its classes."""

    def state() -> list[Any]:
        owners = (torch.cuda, torch.cuda, torch.cuda, torch, torch.accelerator, torch.accelerator)
        names = ("synchronize", "Event", "Stream", "Event", "synchronize", "current_accelerator")
        found = [getattr(owner, name) for owner, name in zip(owners, names, strict=True)] + [own_is_available]
        return [(each, getattr(each, "__code__", None)) for each in found]

    before = state()
    kit.FUNCTIONS["cuda_begins"](kit.FUNCTIONS["probe"](torch.eye(2)))
    assert not any(new == old for new, old in zip(state(), before, strict=True))
    kit.FUNCTIONS["cuda_begins"](kit.FUNCTIONS["probe"](torch.eye(2)))  # without an end before
    kit.FUNCTIONS["cuda_ends"]()
    kit.FUNCTIONS["cuda_ends"]()
    assert state() == before
