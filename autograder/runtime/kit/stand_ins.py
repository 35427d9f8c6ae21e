"""Stand-ins for a model: they answer from a table, take a known time, and note how they were called."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Probe(nn.Module):
    """A language model whose next-token logits are a row of a table, and which remembers its calls."""

    def __init__(self, table: Tensor, dropout: float, seconds: Sequence[float]) -> None:
        super().__init__()
        self.table = nn.Parameter(table.clone())
        self.dropout = nn.Dropout(dropout)
        self.seconds = list(seconds)
        self.spend: Callable[[float], None] = time.sleep  # lets the seconds of a call pass
        self.calls: list[dict[str, Any]] = []

    @property
    def device(self) -> torch.device:
        """Where it lives, as transformers models say it."""
        return self.table.device

    def forward(self, input_ids: Tensor, labels: Tensor | None = None, **others: Any) -> Any:
        """Logits [B, T, vocab], and transformers' own loss when there are labels; takes the time that it was told.

        Logits of a place with a `token_type_ids` of n are n + 1 times as large.
        """
        from transformers.loss.loss_utils import ForCausalLMLoss  # noqa: PLC0415 - torch alone is much lighter
        from transformers.modeling_outputs import CausalLMOutput  # noqa: PLC0415

        number, start = len(self.calls), time.perf_counter()
        note = {
            "shape": list(input_ids.shape),
            "training": self.training,
            "grad": torch.is_grad_enabled(),
            "others": sorted(others),
        }
        self.calls.append(note)
        if self.seconds:
            self.spend(self.seconds[min(number, len(self.seconds) - 1)])
        logits = nn.functional.embedding(input_ids, self.dropout(self.table))
        if "token_type_ids" in others:
            logits = logits * (others["token_type_ids"].unsqueeze(-1) + 1)
        loss = None if labels is None else ForCausalLMLoss(logits, labels, logits.shape[-1])
        note["seconds"] = time.perf_counter() - start
        return CausalLMOutput(loss=loss, logits=logits)


def probe(table: Tensor, dropout: float = 0.0, seconds: Sequence[float] = ()) -> Probe:
    """A language model with logits table[input_ids], table [vocab, vocab]; in eval mode.

    `dropout` acts on the table in training mode. Call number i takes seconds[i], the last one for all calls beyond.
    """
    return Probe(table, dropout, seconds).eval()


def warm_up() -> None:
    """Import what a probe needs when it is called."""
    probe(torch.eye(2))(torch.tensor([[0, 1]]), labels=torch.tensor([[0, 1]]))


def noted(module: Probe) -> list[dict[str, Any]]:
    """Each call of a probe, in order: {"shape", "training", "grad", "others" (what came by name), "seconds"}."""
    return [dict(call) for call in module.calls]


def set_training(module: nn.Module, training: bool) -> None:
    """Put a module into training or eval mode."""
    module.train(training)


def set_trainable(module: nn.Module, trainable: bool) -> None:
    """Freeze a module's parameters, or unfreeze them."""
    module.requires_grad_(trainable)


def hook(module: nn.Module) -> None:
    """Give a module a hook of each of the two kinds that code which looks at inputs and outputs adds; they do
    nothing.
    """
    module.register_forward_pre_hook(lambda *_: None)
    module.register_forward_hook(lambda *_: None)
