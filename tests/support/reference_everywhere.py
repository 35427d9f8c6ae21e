"""Grade the reference of one lab on this machine, as whoever runs this: a line of JSON with the score and the isolation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autograder.course.catalog import load_exercise
from autograder.course.sources import reference_source
from autograder.grading import environment
from autograder.grading.grade import grade
from autograder.records import Settings, Submission
from autograder.sandbox.worker import SandboxPolicy
from autograder.submission.pieces import Cell
from autograder.submission.slicing import slice_cells

ROOT = Path(__file__).resolve().parents[2]


def main(slug: str, layers: list[str]) -> None:
    if layers:
        environment._policy = lambda isolation, cuda: SandboxPolicy(layers=tuple(layers), required=False, cuda=cuda)
    exercise = load_exercise(ROOT / "exercises" / slug, ROOT / "solutions")
    whole = reference_source(ROOT / "solutions" / slug / "source.py")  # whose experiments no grade depends on
    source = slice_cells([Cell(0, whole)], exercise.functions).source
    report = grade(exercise, Submission("ann", slug, source, ""), Settings(seed=20261123))
    full = sum(task.points for task in exercise.tasks)  # bonus included
    failed = [f"{test.test}: {test.message}" for task in report.tasks for test in task.tests if test.status != "passed"]
    print(json.dumps({"missing": full - (report.earned or 0), "isolation": report.isolation, "failed": failed}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
