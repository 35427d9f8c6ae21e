"""The hardware in one line: what a latency was measured on, as `ptqlab doctor` knows it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from autograder.runtime.cpu import cpu_flags, offered_sets

_INT8 = ("AVX512-VNNI", "AVX-VNNI", "AMX-INT8")  # any of them sums int8 products in 32 bits


@dataclass(frozen=True)
class Machine:
    """What arithmetic runs on. `int8`: whether the processor has int8 dot products; None where that is not known."""

    name: str
    int8: bool | None

    def __str__(self) -> str:
        return self.name


def machine() -> Machine:
    """This machine: processor, cores, its instruction sets for int8, GPU, torch and its threads."""
    sets = _instruction_sets()
    words = ", ".join(name for name, offered in sets.items() if offered)
    lacking = ", ".join(name for name in ("VNNI", "AMX") if sets and not _offered(sets, name))
    parts = [
        f"{_processor()} ({os.cpu_count()} cores)",
        *([words] if words else []),
        *([f"no {lacking}"] if lacking else []),
        torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no CUDA",
        f"torch {torch.__version__}, threads: {torch.get_num_threads()}",
    ]
    return Machine("; ".join(parts), any(sets[name] for name in _INT8) if sets else None)


def _offered(sets: dict[str, bool], part: str) -> bool:
    return any(offered for name, offered in sets.items() if part in name)


def _instruction_sets() -> dict[str, bool]:
    """The sets that the doctor looks for, and whether they are here; empty where the system does not list them."""
    flags = cpu_flags()
    if flags is None:
        return {}
    return offered_sets(flags)


@cache
def _processor() -> str:
    """The processor's name as its maker writes it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        return named[0] if named else platform.machine()
    except OSError:
        pass
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
