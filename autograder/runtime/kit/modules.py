"""Whole models: built from plain data, asked for their outputs, described before and after."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

CLASSES = ("BertForSequenceClassification", "GPT2LMHeadModel", "LlamaForCausalLM")


def model(class_name: str, config: Mapping[str, Any], state: Mapping[str, Tensor] | None = None) -> nn.Module:
    """A transformers model in eval mode, float32, with these weights; without any: untrained, from a fixed seed.

    `state` holds tied tensors once.
    """
    import transformers  # noqa: PLC0415 - torch alone is much lighter

    if class_name not in CLASSES:
        raise ValueError(f"expected one of {', '.join(CLASSES)}, got {class_name!r}")
    kind = getattr(transformers, class_name)
    with torch.random.fork_rng(devices=[]), _untouched() if state is not None else contextlib.nullcontext():
        torch.manual_seed(0)
        built: nn.Module = kind(kind.config_class.from_dict(dict(config)))
    if state is not None:
        missing, unexpected = built.load_state_dict(dict(state), strict=False)
        built.tie_weights()  # type: ignore[operator]
        shared = _aliases(built)
        if unexpected or any(not shared.get(name, frozenset()) & state.keys() for name in missing):
            raise ValueError(f"expected a state of {class_name}; missing {missing}, unexpected {unexpected}")
    return built.eval()


def _untouched() -> contextlib.AbstractContextManager[None]:
    """Parameters are not filled at random, where this transformers knows how: nine tenths of what building costs."""
    try:
        from transformers.initialization import no_init_weights  # noqa: PLC0415
    except ImportError:
        return contextlib.nullcontext()
    filling: contextlib.AbstractContextManager[None] = no_init_weights()
    return filling


def _aliases(built: nn.Module) -> dict[str, frozenset[str]]:
    """For each parameter's name, the names under which the same parameter stands."""
    names: dict[int, set[str]] = {}
    for name, parameter in built.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(name)
    return {name: frozenset(group) for group in names.values() for name in group}


@torch.no_grad()
def logits(built: nn.Module, batches: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    """The logits of each batch, in eval mode and without gradients; the mode is restored."""
    training = built.training
    built.eval()
    try:
        return [_logits(built(**batch)) for batch in batches]
    finally:
        built.train(training)


def _logits(result: Any) -> Tensor:
    tensor = getattr(result, "logits", result)
    if isinstance(tensor, tuple | list):
        tensor = tensor[0]
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected the model to return logits, got {type(tensor).__name__}")
    return tensor


@torch.no_grad()
def output(module: nn.Module, *args: Any) -> Any:
    """`module(*args)` without gradients."""
    return module(*args)


def state_dict(module: nn.Module) -> dict[str, Tensor]:
    """The module's state: every tensor by name, as `torch.save(module.state_dict())` would keep it.

    Raises TypeError for what is no tensor: a file of tensors could not hold it.
    """
    state = module.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"expected only tensors in the state_dict, got {type(value).__name__} for {name!r}")
    return {name: value.detach() for name, value in state.items()}


def load_state_dict(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a state strictly; raises ValueError in words when names or shapes differ."""
    present = module.state_dict()
    missing, unexpected = sorted(present.keys() - state.keys()), sorted(state.keys() - present.keys())
    if missing or unexpected:
        raise ValueError(f"the state does not fit: missing {_some(missing)}, unexpected {_some(unexpected)}")
    for name, value in present.items():
        if isinstance(value, Tensor) and value.shape != state[name].shape:
            raise ValueError(f"the state does not fit: {name} is {list(value.shape)}, not {list(state[name].shape)}")
    module.load_state_dict(dict(state), strict=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"


def condition(module: nn.Module) -> dict[str, Any]:
    """What a function that is handed a model must leave as it was: modes, hooks, gradients, every value."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}{value.dtype}{list(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return {
        "modules": {name: type(part).__name__ for name, part in module.named_modules()},
        "training": [name for name, part in module.named_modules() if part.training],
        "hooks": sum(len(hooks) for part in module.modules() for hooks in _hooks(part)),
        "requires_grad": [name for name, parameter in module.named_parameters() if parameter.requires_grad],
        "gradients": [name for name, parameter in module.named_parameters() if parameter.grad is not None],
        "values": digest.hexdigest(),
    }


def _hooks(part: nn.Module) -> list[Mapping[int, Any]]:
    return [value for name, value in vars(part).items() if name.endswith("_hooks") and isinstance(value, Mapping)]


def submodule(module: nn.Module, name: str) -> nn.Module:
    """The part of that name."""
    return module.get_submodule(name)


def modules(module: nn.Module) -> dict[str, str]:
    """Every part's name and the name of its class."""
    return {name: type(part).__name__ for name, part in module.named_modules()}


def tied(module: nn.Module, first: str, second: str) -> bool:
    """Whether two tensors (by their dotted names) are one and the same memory."""
    return _tensor(module, first).data_ptr() == _tensor(module, second).data_ptr()


def _tensor(module: nn.Module, name: str) -> Tensor:
    owner, _, last = name.rpartition(".")
    tensor = getattr(module.get_submodule(owner), last)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected a tensor at {name}, got {type(tensor).__name__}")
    return tensor
