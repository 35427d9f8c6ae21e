"""The processor: its flags, and the instruction sets for int8 that they stand for. No torch."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

INSTRUCTION_SETS = {  # our name: Linux's names in /proc/cpuinfo, any of which will do
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "AVX512-VNNI": ("avx512_vnni", "avx512vnni"),
    "AVX-VNNI": ("avx_vnni",),
    "AMX-INT8": ("amx_int8",),
}


def offered_sets(flags: Collection[str]) -> dict[str, bool]:
    """Our instruction sets by name, and whether the processor's flags offer each."""
    return {name: any(flag in flags for flag in names) for name, names in INSTRUCTION_SETS.items()}


def cpu_flags() -> frozenset[str] | None:
    """The processor's flags from /proc/cpuinfo; None where that does not say (macOS, Windows, not x86)."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    return frozenset(flags[0]) if flags else None
