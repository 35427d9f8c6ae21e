"""A right answer keeps every point, whoever starts the grader, where, and whichever layers the machine gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from support import ROOT, SUPPORT, ordinary_user

from autograder.course.catalog import find_exercises
from autograder.sandbox import jail

LABS = [exercise.slug for exercise in find_exercises(ROOT)]
GRADE, CONTAINER = str(SUPPORT / "reference_everywhere.py"), str(SUPPORT / "container.py")
LONG_S = 900
Ran = subprocess.CompletedProcess[str]


def run_here(arguments: Sequence[str]) -> Ran:
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, timeout=LONG_S, capture_output=True, text=True, check=False)


PLACES: dict[str, Callable[[Sequence[str]], Ran]] = {
    "here": run_here,
    "ordinary user": lambda arguments: ordinary_user.run(arguments, timeout=LONG_S),
    "container": lambda arguments: run_here([CONTAINER, "namespaces", *arguments]),
    "ordinary user in a container": lambda arguments: ordinary_user.run(
        [CONTAINER, "namespaces", *arguments], timeout=LONG_S
    ),
    "no mounts": lambda arguments: run_here([CONTAINER, "mounts", *arguments]),
}
LAYERS = {f"without {left_out}": [layer for layer in jail.LAYERS if layer != left_out] for left_out in jail.LAYERS}
LEVELS = [*PLACES, *LAYERS]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "lab",
    [
        pytest.param(lab, marks=pytest.mark.sampled("levels", 1) if lab == LABS[0] else pytest.mark.proof)
        for lab in LABS
    ],
)
def test_the_reference_has_every_point(lab: str, level: str) -> None:
    done = PLACES.get(level, run_here)([GRADE, lab, *LAYERS.get(level, [])])
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == []
    assert found["missing"] == 0
    assert "namespaces" not in found["isolation"] or level not in ("container", "no mounts", "without namespaces")
