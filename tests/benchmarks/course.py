"""What the whole course costs beside its limits: grading, public tests, and the notebooks from top to bottom.

    python -P tests/benchmarks/course.py [--no-notebooks] [--out TABLE.md]

Of each lab the reference notebook: graded by `ptqlab grade` in a command of its own (start-up included), its public
tests run by plain pytest as a student runs them, and executed. Memory is the sum over all processes of the grading
command of what is each one's own (proportional set size), looked at twenty times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # -P keeps a script's own folder off the path

import cost

from autograder.course.catalog import find_exercises
from autograder.course.notebooks import reference_notebook
from autograder.records import Exercise

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
GRADING_CPU_S, MEMORY_MB, PUBLIC_S, NOTEBOOK_S = 60, 2048, 20, 180
LOOK_S = 0.05


@dataclass(frozen=True)
class Row:
    """One lab's figures; seconds and MB."""

    slug: str
    grading: cost.Cost
    memory_mb: float
    public: cost.Cost
    notebook: cost.Cost | None


class Peak:
    """The most memory that all processes below this one had at a time, in MB."""

    def __init__(self) -> None:
        self.mb, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            self.mb = max(self.mb, sum(map(_own_mb, _below(os.getpid()))))


def _below(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                yield int(child)
                yield from _below(int(child))


def _own_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def measure(exercise: Exercise, folder: Path, with_notebook: bool) -> Row:
    """Grade, check and execute one lab's reference notebook."""
    own = folder / exercise.slug
    own.mkdir()
    notebook = own / f"{exercise.slug}.ipynb"
    notebook.write_text(reference_notebook(ROOT / "solutions" / exercise.slug / "source.py", "en"), encoding="utf-8")
    for name in ("exercise.toml", "test_public.py"):
        shutil.copy(exercise.folder / name, own)
    settings = os.environ | {
        "PTQLAB_COURSE": str(ROOT),
        "PTQLAB_DATASETS": str(ROOT / "datasets"),
        "OMP_NUM_THREADS": "1",
    }
    with Peak() as peak:
        command = [BIN / "ptqlab", "grade", notebook, "--out", folder / "grades", "--seed", 1, "--jobs", 1]
        grading, said = cost.run(command, folder, settings)
    report = json.loads(next((folder / "grades").glob(f"*/{exercise.slug}.json")).read_text(encoding="utf-8"))
    if report["earned"] != sum(task["points"] for task in report["tasks"]):
        raise SystemExit(f"expected full points for the reference of {exercise.slug}:\n{said}")
    public, _ = cost.run([BIN / "pytest", "-q", "-p", "no:cacheprovider"], own, settings)
    executed = None
    if with_notebook:
        program = "import nbformat, nbclient, sys; nbclient.execute(nbformat.read(sys.argv[1], 4), timeout=600)"
        executed, _ = cost.run([sys.executable, "-P", "-c", program, notebook], own, settings)
    return Row(exercise.slug, grading, peak.mb, public, executed)


def table(rows: list[Row]) -> str:
    """The figures in Markdown, the limits in the last line."""
    lines = [
        "| lab | grading, CPU s | wall s | peak memory, MB | public tests, wall s | CPU s | notebook, wall s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        executed = f"{row.notebook.wall_s:.0f}" if row.notebook else "–"
        lines.append(
            f"| `{row.slug}` | {row.grading.cpu_s:.1f} | {row.grading.wall_s:.1f} | {row.memory_mb:.0f} | "
            f"{row.public.wall_s:.1f} | {row.public.cpu_s:.1f} | {executed} |"
        )
    whole = sum(row.grading.cpu_s for row in rows), sum(row.grading.wall_s for row in rows)
    lines.append(
        f"| the whole course | {whole[0]:.1f} | {whole[1]:.1f} | {max(row.memory_mb for row in rows):.0f} | | | |"
    )
    lines.append(f"| *limit* | {GRADING_CPU_S} | | {MEMORY_MB} | {PUBLIC_S} a lab | | {NOTEBOOK_S} |")
    return "\n".join(lines)


def main() -> None:
    """Measure all labs and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-notebooks", action="store_true", help="leave out executing them, which takes minutes")
    parser.add_argument("--only", default="", help="labs whose slug starts like this")
    parser.add_argument("--out", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    cost.adopt_orphans()
    exercises = [exercise for exercise in find_exercises(ROOT) if exercise.slug.startswith(options.only)]
    with tempfile.TemporaryDirectory(prefix="ptqlab-course-") as folder:
        rows = [measure(exercise, Path(folder), not options.no_notebooks) for exercise in exercises]
    text = table(rows)
    print(f"{text}\n\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores")
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
