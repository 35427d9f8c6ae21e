"""Does a long batch stay flat? The grader's memory and the CPU seconds of a submission, block after block.

    python -P tests/benchmarks/steady.py [--students 2000] [--course] [--jobs 2] [--blocks 10] [--out TABLE.md]

Lab 01's reference, with every student's own text in the cells they write; with --course all labs of every student.
Memory is the anonymous memory (RssAnon) of the command, its fork server, grading processes and zygotes, without the
workers, which end with their submission. CPU seconds are all processes', workers included, also divided by what a
fixed piece of work took at the same time: a machine's own speed may change from minute to minute, by a fifth on a shared
one. So what counts is whether the second half of the class costs as much as the first, not a single block.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import nbformat
import torch

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent)]  # -P keeps a script's own folder off the path
from support import watched  # noqa: E402

from autograder.course.catalog import find_exercises  # noqa: E402
from autograder.course.sources import read_cells  # noqa: E402
from autograder.records import Exercise  # noqa: E402
from autograder.runtime.memory import anonymous_mb  # noqa: E402

ROOT = HERE.parents[1]
LOOK_S = 1.0
TICKS = os.sysconf("SC_CLK_TCK")
MOST_GROWTH, MOST_DRIFT = 0.05, 0.10


@dataclass
class Block:
    """A part of the class: reports and CPU seconds when it ended, the most memory seen, what the fixed work took."""

    done: int = 0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    yardstick_s: list[float] = field(default_factory=list)


def hand_in(folder: Path, exercises: list[Exercise], students: int) -> None:
    """Write every student's notebooks: what they wrote is each one's own, and nothing kept of another's is of use."""
    for exercise in exercises:
        cells = [
            cell.text for cell in read_cells(ROOT / "solutions" / exercise.slug / "source.py") if cell.kind == "code"
        ]
        own = [any(f"def {name}(" in cell or f"class {name}" in cell for name in exercise.functions) for cell in cells]
        for number in range(students):
            texts = [f"# by {number}\n{cell}" if graded else cell for cell, graded in zip(cells, own, strict=True)]
            book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])
            target = folder / f"student{number:05}" / f"{exercise.slug}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(book, target)


def yardstick() -> float:
    """CPU seconds of a fixed piece of work of the kinds that grading is made of: objects, bytes, tensors; some 15 ms."""
    start, x = time.process_time(), torch.ones(256, 256)
    for number in range(16):
        data = pickle.dumps({str(index): [index, number] for index in range(500)})
        hashlib.sha256(data).digest()
        pickle.loads(data)
        (x @ x).div(3).round().clamp(-127, 127).to(torch.int8).float().amax()
    return time.process_time() - start


def spent_s(pid: int) -> float:
    """CPU seconds of a process and of those of its children that have ended and were waited for."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(int(word) for word in words[11:15]) / TICKS


def watch(command: subprocess.Popen[bytes], out: Path, total: int, blocks: int) -> list[Block]:
    """Look at the command until it ends."""
    found = [Block()]
    while command.poll() is None:
        done = sum(1 for _ in out.glob("*/*.json")) if out.is_dir() else 0
        if done == total and found[-1].yardstick_s:  # what is left is the class report
            command.wait()
            break
        processes = watched.processes(command.pid)
        block = found[-1]
        block.done = done
        block.cpu_s = max(block.cpu_s, sum(spent_s(process.pid) for process in processes))
        block.memory_mb = max(
            block.memory_mb, sum(anonymous_mb(process.pid) or 0.0 for process in processes if process.role != "worker")
        )
        yardstick()  # warms up after the sleep
        block.yardstick_s.append(yardstick())
        if done >= total * len(found) // blocks and len(found) < blocks:
            found.append(Block())
        time.sleep(LOOK_S)
    found[-1].done = total
    return found


def table(found: list[Block]) -> tuple[str, float, float]:
    """The blocks in Markdown, the growth of memory after the first, and what the second half costs against the first."""
    ends = pairwise([Block(), *found])
    costs = [(after.cpu_s - before.cpu_s) / (after.done - before.done) for before, after in ends]
    sticks = [statistics.median(block.yardstick_s) for block in found]
    level = statistics.median(sticks)
    even = [cost * level / stick for cost, stick in zip(costs, sticks, strict=True)]
    settled, middle = even[1:], statistics.median(even)
    half = len(settled) // 2
    drift = statistics.median(settled[half:]) / statistics.median(settled[:half]) - 1
    growth = max(block.memory_mb for block in found[1:]) / found[0].memory_mb - 1
    spread = max(abs(cost / middle - 1) for cost in settled)
    lines = ["| block | grader's memory, MB | CPU s a submission | at even speed |", "|---:|---:|---:|---:|"]
    for number, (block, cost, evened) in enumerate(zip(found, costs, even, strict=True), start=1):
        lines.append(f"| {number} | {block.memory_mb:.0f} | {cost:.3f} | {evened:.3f} |")
    lines += [
        "",
        f"Memory after the first block: {growth:+.1%}; cost at even speed, the second half of the class against the first: {drift:+.1%} "
        f"(a single block: within {spread:.1%} of the median; the first block, with the start, left out).",
    ]
    return "\n".join(lines), growth, drift


def main() -> None:
    """Grade the class under watch, print the table; exit code 1 when it was not flat."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--students", type=int, default=2000, help="size of the class")
    parser.add_argument("--course", action="store_true", help="all labs of each student")
    parser.add_argument("--jobs", type=int, default=2, help="grading processes")
    parser.add_argument("--blocks", type=int, default=10, help="in how many parts to look at it")
    parser.add_argument("--out", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    exercises = list(find_exercises(ROOT / "exercises", ROOT / "solutions"))
    exercises = exercises if options.course else exercises[:1]
    total = options.students * len(exercises)
    with tempfile.TemporaryDirectory(prefix="ptqlab-steady-") as folder, watched.adopting():
        handed, out = Path(folder, "handed"), Path(folder, "grades")
        hand_in(handed, exercises, options.students)
        only = [] if options.course else ["--exercise", exercises[0].slug]
        arguments = ["grade", handed, "--out", out, "--seed", "1", "--jobs", str(options.jobs), *only]
        environment = os.environ | {"PTQLAB_COURSE": str(ROOT), "PTQLAB_DATASETS": str(ROOT / "datasets")}
        start = time.perf_counter()
        with open(Path(folder, "said"), "wb") as said:
            command = subprocess.Popen(
                [Path(sys.executable).parent / "ptqlab", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            found = watch(command, out, total, options.blocks)
        wall_s = time.perf_counter() - start
        if command.returncode or sum(1 for _ in out.glob("*/*.json")) != total:
            raise SystemExit(f"expected {total} reports; the command said:\n{Path(folder, 'said').read_text()[-2000:]}")
    text, growth, drift = table(found)
    text += f"\n{total} submissions of {options.students} students with {options.jobs} jobs: {wall_s:.0f} s."
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    raise SystemExit(growth > MOST_GROWTH or abs(drift) > MOST_DRIFT)


if __name__ == "__main__":
    main()
