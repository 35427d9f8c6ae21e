"""How much faster a class of lab 01 is with more grading processes: submissions a second, side by side in one run.

    python -P tests/benchmarks/throughput.py [--students 200] [--jobs 2] [--rounds 3] [--out TABLE.md]

The class is as mixed as compare.py's. Whole commands are timed, the start and the class report included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # -P keeps a script's own folder off the path

import cost
from compare import BIN, SLUG, Bench
from direct_tests import SEED

LEAST = 0.9  # of the processes' number


def wall_s(bench: Bench, jobs: int) -> float:
    """Seconds for the whole class in one command."""
    out = bench.folder / "grades"
    shutil.rmtree(out, ignore_errors=True)
    command = [
        BIN / "ptqlab",
        "grade",
        bench.folder / "handed_in",
        "--out",
        out,
        "--seed",
        SEED,
        "--exercise",
        SLUG,
        "--jobs",
        str(jobs),
    ]
    return cost.run(command, bench.folder, bench.settings)[0].wall_s


def main() -> None:
    """Measure in turns, print the table; exit code 1 when it does not grow as it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--students", type=int, default=200, help="size of the class")
    parser.add_argument("--jobs", type=int, default=2, help="grading processes to compare with one")
    parser.add_argument("--rounds", type=int, default=3, help="how often they take turns")
    parser.add_argument("--out", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    counts = (1, options.jobs)
    cost.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="ptqlab-throughput-") as folder:
        bench = Bench(Path(folder), options.students, 1, with_notebooks=False)
        found = {count: [] for count in counts}
        for number in range(options.rounds):
            for count in counts if number % 2 == 0 else reversed(counts):
                found[count].append(wall_s(bench, count))
    ratio = statistics.median(one / more for one, more in zip(*found.values(), strict=True))
    lines = ["| grading processes | s for the class | submissions a second |", "|---:|---:|---:|"]
    for count in counts:
        seconds = statistics.median(found[count])
        lines.append(f"| {count} | {seconds:.1f} | {options.students / seconds:.2f} |")
    lines += [
        "",
        f"{options.students} students, {options.rounds} rounds, {os.cpu_count()} cores: "
        f"{options.jobs} processes do {ratio:.2f} times as much as one.",
    ]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    raise SystemExit(ratio < LEAST * options.jobs)


if __name__ == "__main__":
    main()
