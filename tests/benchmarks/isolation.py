"""What isolation costs: milliseconds from asking for a worker to its first answer, with and without each layer.

    .venv/bin/python -P tests/benchmarks/isolation.py [--rounds 40] [--calls 200] [--out FILE]

The ways take turns, in another order each time: a busy moment meets all of them, and so does what the kernel still has
to take apart of the worker before. "First answer" is a function's value: the fork, the layers, the probes, loading a
submission of one function, and calling it. Everything runs on one core, as in a class.
A probe that nothing holds back does what it tries, which costs more than being refused: so the layers are compared in
a zygote whose probes are empty, and the probes are a row of their own. A control group is the zygote's, and its workers are
born in it: without one is a zygote that was brought back to where it came from.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from compare import _cpu_model

from autograder.records import Limits
from autograder.sandbox import cgroups, jail, launcher
from autograder.sandbox.launcher import Zygote
from autograder.sandbox.worker import SandboxPolicy, Worker

SOURCE = "def answer(x):\n    return x\n"
REQUEST = {"op": "call", "target": 0, "name": "answer", "args": (1,), "kwargs": {}, "simulated": False}
UNPROBED = "from autograder.sandbox import probes\nprobes.attempt = lambda *_: {}\n"
WHOLE = "every layer"
UNGROUPED = "without control group"
NOTHING = "no layer"
OUTSIDE = (UNGROUPED, NOTHING)
WAYS = {
    f"{WHOLE}, and the probes": jail.LAYERS,
    WHOLE: jail.LAYERS,
    **{f"without {layer}": tuple(other for other in jail.LAYERS if other != layer) for layer in jail.LAYERS},
    UNGROUPED: jail.LAYERS,
    NOTHING: (),
}


def zygotes() -> tuple[Zygote, Zygote, Zygote]:
    """One as it is, and two in which the probes try nothing, the last of them in no group of its own."""
    usual = Zygote()
    program = launcher._PROGRAM
    imports, _, start = program.rpartition("\n")
    launcher._PROGRAM = f"{imports}\n{UNPROBED}{start}"
    try:
        unprobed, ungrouped = Zygote(), Zygote()
        for parent in cgroups.parents():
            if (parent.folder / os.path.basename(ungrouped.folder)).is_dir():
                (parent.folder / "cgroup.procs").write_text(str(ungrouped.process.pid))
        return usual, unprobed, ungrouped
    finally:
        launcher._PROGRAM = program


def start_and_call(layers: tuple[str, ...], calls: int) -> tuple[float, float, str]:
    """(ms from asking for a worker to its first answer, ms a call afterwards, the layers that were reached)."""
    with Worker(SOURCE, Limits(), SandboxPolicy(layers=layers, required=False)) as worker:
        started = time.perf_counter()
        worker.run(dict(REQUEST))
        first = time.perf_counter() - started
        assert worker._process is not None
        reached = ", ".join(worker._process.hello["reached"]) or "none"
        started = time.perf_counter()
        for _ in range(calls):
            worker.run(dict(REQUEST))
        later = (time.perf_counter() - started) / calls
    return 1000 * first, 1000 * later, reached


def measure(rounds: int, calls: int) -> dict[str, list[tuple[float, float, str]]]:
    """Every way, in turns; the first turn warms up and is not counted."""
    found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in WAYS}
    probed, unprobed, ungrouped = zygotes()
    for turn in range(rounds + 1):
        order = list(WAYS)
        random.Random(turn).shuffle(order)
        for name in order:
            launcher._ZYGOTE[:] = [probed if name.endswith("probes") else ungrouped if name in OUTSIDE else unprobed]
            figures = start_and_call(WAYS[name], calls)
            if turn:
                found[name].append(figures)
    return found


def table(found: dict[str, list[tuple[float, float, str]]]) -> str:
    """The findings as Markdown: medians, and what the layer adds to the whole."""
    whole = statistics.median(first for first, _, _ in found[WHOLE])
    lines = [
        "| worker | first answer, ms | against every layer, ms | a call after it, ms | reached |",
        "|---|---:|---:|---:|---|",
    ]
    for name, figures in found.items():
        first, later = (statistics.median(column) for column in list(zip(*figures, strict=True))[:2])
        share = "" if name == WHOLE else f"{first - whole:+.1f}"
        reached = [
            layer for layer in figures[0][2].split(", ") if name not in OUTSIDE or not layer.startswith("control group")
        ]
        lines.append(f"| {name} | {first:.1f} | {share} | {later:.3f} | {', '.join(reached) or 'none'} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="how often the ways take turns")
    parser.add_argument("--calls", type=int, default=200, help="calls after the first, for their mean")
    parser.add_argument("--out", type=Path, help="write the table to this file, too")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the zygotes start: they inherit this
    found = measure(arguments.rounds, arguments.calls)
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    said = (
        f"{table(found)}\n\nMedians of {arguments.rounds} turns on one core, started by {who}.\n"
        f"{_cpu_model()}, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}.\n"
    )
    sys.stdout.write(said)
    if arguments.out:
        arguments.out.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    main()
