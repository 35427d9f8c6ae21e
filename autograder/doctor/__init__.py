"""`ptqlab doctor`: what this machine offers for grading and for quantized arithmetic, in plain words.

`examine` runs the probes of probes.py, each in a process of its own; isolation.py, hardware.py and
runtimes.py say what was found and what it means. Nothing is guessed from version numbers. Elsewhere than on
Linux it says less.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.text import Text

from autograder.doctor.findings import Facts, Finding, Verdict
from autograder.doctor.hardware import device_findings, instruction_findings
from autograder.doctor.isolation import isolation_findings, not_linux, surroundings
from autograder.doctor.runtimes import installed_onnxruntimes, runtime_findings
from autograder.doctor.trials import LINUX_ONLY, PROBES
from autograder.runtime.cpu import cpu_flags

__all__ = ["Finding", "Findings", "Verdict", "examine", "render"]

PROBE_S = 180.0  # wall seconds for one probe: importing torch from a cold network disk takes a minute


@dataclass(frozen=True)
class Findings:
    """All that `ptqlab doctor` says, by section."""

    isolation: tuple[Finding, ...]
    devices: tuple[Finding, ...]
    instructions: tuple[Finding, ...]
    runtimes: tuple[Finding, ...]


def examine() -> Findings:
    """Look at this machine; takes some seconds, changes nothing."""
    on_linux = sys.platform == "linux"
    names = [name for name in PROBES if on_linux or name not in LINUX_ONLY]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        facts = dict(zip(names, pool.map(_probe, names), strict=True))
    return Findings(
        isolation=isolation_findings(facts, surroundings()) if on_linux else (not_linux(),),
        devices=device_findings(facts["torch"]),
        instructions=instruction_findings(cpu_flags(), facts["onnxruntime"].get("saturates")),
        runtimes=runtime_findings(facts, installed_onnxruntimes()),
    )


def render(findings: Findings) -> Text:
    """The findings as lines of at most 80 columns, for `Console.print` or `str`."""
    sections = (
        ("Isolation", findings.isolation),
        ("Devices", findings.devices),
        ("Instruction sets", findings.instructions),
        ("Runtimes", findings.runtimes),
    )
    blocks = [Text("\n").join([Text(title, "bold"), *map(_lines, found)]) for title, found in sections]
    return Text("\n\n").join(blocks)


_MARKS = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.NOTE: "·", Verdict.UNKNOWN: "?"}
_TONES = {Verdict.GOOD: "green", Verdict.BAD: "bold red", Verdict.NOTE: "dim", Verdict.UNKNOWN: "yellow"}
_WIDTH, _COLUMN = 80, 24


def _lines(finding: Finding) -> Text:
    """The mark and the name in one column; what was found, and below it what that means, in another."""
    beside = " " * _COLUMN
    found = textwrap.fill(finding.found, _WIDTH, initial_indent=beside, subsequent_indent=beside)
    head = Text.assemble("  ", (_MARKS[finding.verdict], _TONES[finding.verdict]), f" {finding.name}")
    head.append(found[len(head) :] if len(head) < _COLUMN else f"\n{found}")
    if finding.meaning:
        meaning = textwrap.fill(finding.meaning, _WIDTH, initial_indent=beside, subsequent_indent=beside)
        head.append(f"\n{meaning}")
    return head


def _probe(name: str) -> Facts:
    """The facts of one probe, or {"error": why there are none}."""
    program = f"from autograder.doctor.trials import main; main({name!r})"
    command = [sys.executable, "-P", "-c", program]  # -P: the current folder is not searched for modules
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": f"the probe did not finish: {error}"}
    last = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        facts = json.loads(last)
    except ValueError:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return {"error": f"the probe ended with code {done.returncode}: {said[:200] or 'no message'}"}
    return facts if isinstance(facts, dict) else {"error": "the probe said nothing usable"}
