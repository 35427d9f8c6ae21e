"""The devices that a submission is graded on, and the policy of the jail that its code runs in."""

from __future__ import annotations

from dataclasses import replace

from autograder.records import Exercise, Limits, PtqlabError, Settings
from autograder.runtime.process_state import STATE
from autograder.runtime.simulated import device as simulated
from autograder.sandbox.worker import SandboxPolicy, Worker
from autograder.testing.outcomes import HIDDEN
from autograder.testing.plugin import available_devices


def grading_devices(settings: Settings) -> tuple[str, ...]:
    """Return the devices that tests run on. Raises PtqlabError when this machine can't satisfy the settings."""
    if not simulated.available():
        raise PtqlabError(
            f"Grading needs the simulated device, which this torch does not offer: {simulated.unavailable_reason()}. "
            "Install the torch version that constraints.txt names."
        )
    devices = available_devices(settings.device)
    if settings.device == "cuda" and "cuda" not in devices:
        raise PtqlabError(
            "Expected a CUDA device for --device cuda, but torch sees none here; use --device auto or cpu."
        )
    trouble = _cuda_trouble(settings.isolation) if "cuda" in devices else ""
    if settings.device == "cuda" and trouble:
        raise PtqlabError(
            f"Expected the GPU to work in the jail for --device cuda, but it doesn't ({trouble}); use --device cpu."
        )
    return tuple(device for device in devices if device != "cuda" or not trouble)


@STATE.keep(2)
def _cuda_trouble(isolation: str) -> str:
    """Return why code in the jail can't use this machine's GPU, or ""; tried in a worker without a submission."""
    with Worker("", Limits(), _policy(isolation, cuda=True)) as worker:
        worker.start()
        return worker.cuda_trouble


def sandbox_policy(
    exercise: Exercise, settings: Settings, secrets: tuple[str, ...], devices: tuple[str, ...]
) -> SandboxPolicy:
    """Return the jail's policy. `secrets` are paths that must not be readable in it, besides the solution's."""
    policy = _policy(settings.isolation, "cuda" in devices)
    solution = (str(exercise.solution), str(exercise.solution / HIDDEN)) if exercise.solution else ()
    return replace(policy, secrets=(*solution, *secrets)) if policy.required else policy


def _policy(isolation: str, cuda: bool) -> SandboxPolicy:
    if isolation == "none":
        return SandboxPolicy(layers=("limits",), required=False, cuda=cuda)
    return SandboxPolicy(cuda=cuda)
