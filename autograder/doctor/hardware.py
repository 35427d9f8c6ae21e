"""From facts to findings: devices, and what the processor's instruction sets mean for int8."""

from __future__ import annotations

import platform

from autograder.doctor.findings import Facts, Finding, Verdict, unknown
from autograder.runtime.cpu import offered_sets


def device_findings(facts: Facts) -> tuple[Finding, ...]:
    """The devices that `--device` can name, and the simulated one."""
    if "error" in facts:
        return (unknown("torch", facts, "No device can be used before torch imports."),)
    cpu = Finding("CPU", f"torch uses its {facts['capability']} kernels", Verdict.GOOD)
    if facts["simulated"]:
        simulated = Finding("Simulated device", facts["simulated"], Verdict.BAD, "Grading refuses to start without it.")
    else:
        meaning = "Device mistakes are found without a GPU."
        simulated = Finding("Simulated device", "available", Verdict.GOOD, meaning)
    return (
        cpu,
        simulated,
        _cuda(facts),
        *([Finding("MPS", "available", Verdict.NOTE, "Not used.")] if facts["mps"] else []),
    )


def _cuda(facts: Facts) -> Finding:
    if facts["cuda"]:
        return Finding("CUDA", "; ".join(facts["cuda"]), Verdict.GOOD, "Device tests also run on it.")
    if facts["built_for"]:
        meaning = "Tests run on the CPU and on the simulated device. Is there a GPU, and its driver (nvidia-smi)?"
        return Finding("CUDA", f"torch is built for CUDA {facts['built_for']}, but finds no GPU", Verdict.NOTE, meaning)
    meaning = "Tests run on the CPU and on the simulated device."
    return Finding("CUDA", "no: this torch is built without it", Verdict.NOTE, meaning)


def instruction_findings(flags: frozenset[str] | None, saturates: bool | None) -> tuple[Finding, ...]:
    """Which instruction sets there are, and what they do to int8.

    `saturates`: whether ONNX Runtime's u8×s8 product did when it was tried; None when it could not be tried.
    """
    if flags is None:
        where = f"{platform.system()} on {platform.machine()} does not list them for us."
        return (Finding("AVX, VNNI, AMX", "unknown", Verdict.UNKNOWN, where), _int8(None, saturates))
    here = offered_sets(flags)
    vnni = any(here[name] for name in ("AVX512-VNNI", "AVX-VNNI", "AMX-INT8"))
    sets = [_set(name, offered) for name, offered in here.items()]
    return (*sets, _int8(vnni, saturates))


def _set(name: str, offered: bool) -> Finding:
    return Finding(name, "yes" if offered else "no", Verdict.GOOD if offered else Verdict.NOTE)


def _int8(vnni: bool | None, saturates: bool | None) -> Finding:
    """What uint8 times int8 gives here. `vnni`: any instruction that sums such products in 32 bits."""
    name = "int8 products"
    none = "" if vnni else "No VNNI: " if vnni is False else "Where there is no VNNI, "
    advice = "use unsigned weights or reduce_range; do not expect the handout's 2.5×."
    kernels = f"{none}ONNX Runtime's u8×s8 kernels saturate; {advice}"
    if saturates is None and vnni is not False:
        return Finding(name, "unknown: ONNX Runtime did not run", Verdict.UNKNOWN, "" if vnni else kernels)
    if saturates is None:
        return Finding(name, "u8×s8 should saturate (not measured)", Verdict.BAD, kernels)
    if saturates:
        return Finding(name, "u8×s8 saturates (measured with ONNX Runtime)", Verdict.BAD, kernels)
    speed = {
        True: "int8 layers can also be faster than float32.",
        False: "No VNNI: do not expect the handout's 2.5×.",
    }
    meaning = "" if vnni is None else speed[vnni]
    return Finding(name, "u8×s8 is exact (measured with ONNX Runtime)", Verdict.GOOD, meaning)
