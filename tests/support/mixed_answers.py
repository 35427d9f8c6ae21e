"""Students who differ: of every task half hand in the reference's answer, a third another right one, a sixth a wrong one."""

from __future__ import annotations

import random
from pathlib import Path

from autograder.grading.known_answers import cases
from autograder.records import Exercise


def own_answers(exercise: Exercise, number: int) -> list[str]:
    """The cells in which this student's answers differ from the reference's."""
    assert exercise.solution is not None
    known = [case for case in cases(exercise) if len(case.tasks) == 1]
    chosen, found = random.Random(number), []
    for task in exercise.tasks:
        kind = chosen.choices(("reference", "variant", "mutant"), (3, 2, 1))[0]
        names = [case.name for case in known if case.kind == kind and task.id in case.tasks]
        found += [_text(exercise.solution / f"{kind}s", chosen.choice(names))] if names else []
    return found


def _text(folder: Path, name: str) -> str:
    return (folder / f"{name}.py").read_text(encoding="utf-8")
