"""The CUDA that isn't there: whoever waits for the device waits, in every way that torch has, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.cuda import is_available as own_is_available
from torch.cuda import synchronize as own_synchronize

from autograder.runtime import kit
from autograder.runtime.kit import fake_cuda

CALLS = 3
CALL_S = 0.25  # that a call keeps the device busy


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


class Clock:
    """Stands in for the module `time`: nothing but sleeping takes time, however busy the machine is."""

    now_s = 100.0

    def perf_counter(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(fake_cuda, "time", made)
    return made


@pytest.fixture
def on_cuda(clock: Clock) -> Iterator[SimpleNamespace]:
    model = kit.FUNCTIONS["probe"](torch.eye(2), seconds=[CALL_S])
    kit.FUNCTIONS["cuda_begins"](model)
    yield SimpleNamespace(model=model, inputs={"input_ids": kit.FUNCTIONS["on_cuda"](torch.tensor([[0, 1, 1]]))})
    kit.FUNCTIONS["cuda_ends"]()


@pytest.mark.parametrize("inference", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("way", WAITS)
def test_every_way_of_waiting_waits(on_cuda: SimpleNamespace, way: str, inference: Callable[[], Any]) -> None:
    """A call returns while the device works; after each way of waiting the device is done."""
    with inference():
        on_cuda.out = on_cuda.model(**on_cuda.inputs)
        assert not fake_cuda.DEVICE.is_idle()
        WAITS[way](on_cuda)
        assert fake_cuda.DEVICE.is_idle()


@pytest.mark.parametrize("way", NO_WAITS)
def test_nothing_else_waits(on_cuda: SimpleNamespace, way: str) -> None:
    """Neither arithmetic nor asking what there is waits for the device."""
    with torch.no_grad():
        for _ in range(CALLS):
            on_cuda.out = on_cuda.model(**on_cuda.inputs)
            NO_WAITS[way](on_cuda)
    assert not fake_cuda.DEVICE.is_idle()


def test_calls_queue_up(on_cuda: SimpleNamespace, clock: Clock) -> None:
    """Whoever waits once after three calls has waited for all of them."""
    start = clock.perf_counter()
    for _ in range(CALLS):
        on_cuda.model(**on_cuda.inputs)
    torch.cuda.synchronize()
    assert clock.perf_counter() - start == CALLS * CALL_S


def test_events_tell_the_devices_own_time(on_cuda: SimpleNamespace) -> None:
    """The time between two events is that of the calls between them, whatever was queued before."""
    on_cuda.model(**on_cuda.inputs)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    on_cuda.model(**on_cuda.inputs)
    end.record()
    assert not end.query()
    torch.cuda.synchronize()
    assert end.query()
    assert start.elapsed_time(end) == pytest.approx(CALL_S * 1e3, rel=1e-6)


def test_a_probe_sleeps_again_afterwards(on_cuda: SimpleNamespace) -> None:
    """When the pretence ends, a call itself takes its time."""
    kit.FUNCTIONS["cuda_ends"]()
    assert on_cuda.model.spend is time.sleep


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
