"""The reference solution, loaded into the grader's own process: hidden tests measure against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.course.catalog import load_exercise
from autograder.course.sources import reference_source
from autograder.records import PtqlabError
from autograder.runtime.process_state import STATE
from autograder.submission.loading import load_module
from autograder.submission.pieces import Cell
from autograder.submission.slicing import slice_cells


def reference_namespace(folder: Path, solution: Path) -> dict[str, Any]:
    """Return what the reference defines, by name; `folder` lies under exercises/, `solution` under solutions/."""
    source = solution / "source.py"
    return _loaded(folder, source, source.stat().st_mtime_ns)


@STATE.keep(8)
def _loaded(folder: Path, source: Path, _stamp: int) -> dict[str, Any]:
    functions = load_exercise(folder).functions
    loaded = load_module(slice_cells([Cell(0, reference_source(source))], functions).source, "reference")
    if loaded.problems:
        raise PtqlabError(f"Expected the reference in {source.parent.name} to load; it says: {loaded.problems[0]}")
    return vars(loaded.module)
