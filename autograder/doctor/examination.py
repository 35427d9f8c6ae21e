"""Collect the facts about this machine: each trial runs in a process of its own, all at the same time."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from autograder.doctor.facts import (
    ControlGroupFacts,
    DeviceFacts,
    InstructionFacts,
    IsolationFacts,
    LandlockFacts,
    MachineFacts,
    NamespaceFacts,
    OnnxRuntimeFacts,
    PackageFacts,
    RuntimeFacts,
    SeccompFacts,
    Surroundings,
    TorchFacts,
    Unknown,
    WorkerFacts,
)
from autograder.runtime.cpu import cpu_flags, offered_sets

TRIAL_S = 180.0  # wall seconds for one trial: importing torch from a cold network disk takes a minute
USER_NAMESPACE_SETTINGS = (
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
    "user/max_user_namespaces",
)
_ONNXRUNTIME_BUILDS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")

F = TypeVar("F")


def examine() -> MachineFacts:
    """Examine this machine; takes some seconds, changes nothing."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        torch = pool.submit(attempt, "torch", TorchFacts)
        onnxruntime = pool.submit(attempt, "onnxruntime", OnnxRuntimeFacts)
        packages = pool.submit(attempt, "packages", PackageFacts)
        isolation = _isolation(pool) if sys.platform == "linux" else None
    return MachineFacts(
        system=platform.system(),
        isolation=isolation,
        devices=DeviceFacts(torch.result()),
        instructions=_instructions(onnxruntime.result()),
        runtimes=RuntimeFacts(
            python=f"{platform.python_version()} on {platform.platform()}",
            torch=torch.result(),
            packages=packages.result(),
            onnxruntime=onnxruntime.result(),
            onnxruntime_builds=tuple(name for name in _ONNXRUNTIME_BUILDS if _is_installed(name)),
        ),
    )


def attempt(trial: str, kind: type[F]) -> F | Unknown:
    """Run a trial in a process of its own; return its facts, or the reason why there are none."""
    program = f"from autograder.doctor.trials import main; main({trial!r})"
    command = [sys.executable, "-P", "-c", program]  # -P: the current folder is not searched for modules
    try:
        done = subprocess.run(command, capture_output=True, timeout=TRIAL_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Unknown(f"the trial did not finish: {error}")
    try:
        values: dict[str, Any] = json.loads(_last_line(done.stdout))
    except ValueError:
        message = _last_line(done.stderr)[:200] or "no message"
        return Unknown(f"the trial ended with code {done.returncode}: {message}")
    if "error" in values:
        return Unknown(values["error"])
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _last_line(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip().rpartition("\n")[2]


def _isolation(pool: Executor) -> IsolationFacts:
    def start(trial: str, kind: type[F]) -> Future[F | Unknown]:
        return pool.submit(attempt, trial, kind)

    worker = start("worker", WorkerFacts)
    root_namespaces = start("root_namespaces", NamespaceFacts)
    user_namespaces = start("user_namespaces", NamespaceFacts)
    landlock = start("landlock", LandlockFacts)
    seccomp = start("seccomp", SeccompFacts)
    control_groups = start("control_groups", ControlGroupFacts)
    return IsolationFacts(
        surroundings=_surroundings(),
        worker=worker.result(),
        root_namespaces=root_namespaces.result(),
        user_namespaces=user_namespaces.result(),
        landlock=landlock.result(),
        seccomp=seccomp.result(),
        control_groups=control_groups.result(),
    )


def _surroundings() -> Surroundings:
    signs = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman", "/run/systemd/container": "systemd"}
    by_systemd = os.environ.get("container", "")  # noqa: SIM112 - that is how systemd spells it
    settings = {name: Path("/proc/sys", name) for name in USER_NAMESPACE_SETTINGS}
    return Surroundings(
        uid=os.geteuid(),
        container=next((name for path, name in signs.items() if Path(path).exists()), by_systemd),
        kernel_settings={name: path.read_text().strip() for name, path in settings.items() if path.exists()},
    )


def _instructions(onnxruntime: OnnxRuntimeFacts | Unknown) -> InstructionFacts:
    flags = cpu_flags()
    return InstructionFacts(
        offered=None if flags is None else offered_sets(flags),
        saturates=None if isinstance(onnxruntime, Unknown) else onnxruntime.saturates,
        system=f"{platform.system()} on {platform.machine()}",
    )


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
