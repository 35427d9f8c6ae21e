"""Answers whose grade is known beforehand: the reference, the untouched stub, wrong answers and other right ones.

They lie in solutions/<slug>/: `source.py`, `mutants/*.py` and `variants/*.py`. A mutant or a variant is a file of
definitions that replace the reference's; its header says what it loses (`# loses: 1.1/extremes`) or which tasks it
answers in another way (`# variant of: 1.1`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.course.sources import reference_source
from autograder.records import VALUES, Exercise, PtqlabError
from autograder.runtime.process_state import STATE
from autograder.submission.pieces import Cell
from autograder.submission.reader import read_submission
from autograder.submission.slicing import slice_cells

HEADER = re.compile(r"^# (loses|mistake|at home|variant of|differs): *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One answer whose grade is known: the items that it must lose, and no others.

    Who loses `values` loses what hangs on it: the other items of that task are then not named.
    """

    name: str
    kind: str  # reference, stub, mutant or variant
    source: str
    loses: frozenset[str]  # items: 1.1/values
    about: str  # the mistake, or how the variant differs
    tasks: frozenset[str] = frozenset()  # those whose answers differ from the reference's
    at_home: str = ""  # why the public tests can't tell that it is wrong; empty: they must


def cases(exercise: Exercise) -> Iterator[Case]:
    """Yield the reference, the untouched stub, and every mutant and variant of an exercise."""
    reference = _reference(exercise)
    assert exercise.solution is not None
    yield Case("reference", "reference", reference, frozenset(), "the reference solution")
    stub = read_submission(exercise.folder / f"{exercise.slug}.ipynb", exercise, "stub")
    every = frozenset(f"{task.id}/{VALUES}" for task in exercise.tasks)
    yield Case("stub", "stub", stub.source, every, "the notebook as students get it")
    for kind, folder in (("mutant", "mutants"), ("variant", "variants")):
        for path in sorted((exercise.solution / folder).glob("*.py")):
            yield _case(path, kind, reference, exercise)


def _reference(exercise: Exercise) -> str:
    if exercise.solution is None:
        raise PtqlabError(
            f"Expected solutions/{exercise.slug} beside the exercises; verify needs an instructor's clone."
        )
    return reference_source(exercise.solution / "source.py")


def _case(path: Path, kind: str, reference: str, exercise: Exercise) -> Case:
    text = path.read_text(encoding="utf-8")
    header = dict(HEADER.findall(text))
    of_tasks, about = ("loses", "mistake") if kind == "mutant" else ("variant of", "differs")
    if not (header.get(of_tasks) and header.get(about)):
        raise PtqlabError(f"Expected '# {of_tasks}: …' and '# {about}: …' at the top of {path.name}; add them.")
    named = frozenset(header[of_tasks].split())
    unknown = sorted(named - (_items(exercise) if kind == "mutant" else {task.id for task in exercise.tasks}))
    if unknown:
        example = "an item of a task's rubric as in 1.1/values" if kind == "mutant" else "a task as in 1.1"
        raise PtqlabError(f"Expected {example} behind '# {of_tasks}:' in {path.name}; got {', '.join(unknown)}.")
    tasks = frozenset(name.partition("/")[0] for name in named)
    loses = named if kind == "mutant" else frozenset()
    return Case(path.stem, kind, f"{reference}\n\n{text}", loses, header[about], tasks, header.get("at home", ""))


def _items(exercise: Exercise) -> set[str]:
    return {f"{task.id}/{item.item}" for task in exercise.tasks for item in task.rubric}


def altered(exercise: Exercise, case: Case, called: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """Return the tasks whose tests can see a difference between this case and the reference; None: all.

    A case is the reference with some definitions after it that replace its own. A task whose functions
    (`functions_called`) and all that these depend on mention none of the replaced names has the reference's outcomes.
    """
    reference = _reference(exercise)
    if case.kind not in ("mutant", "variant") or not case.source.startswith(reference):
        return None
    replaced = _replaced(case.source[len(reference) :])
    if replaced is None:
        return None
    tasks = {task for task, names in called.items() if replaced & _mentioned(reference, exercise.functions, names)}
    return frozenset(tasks | case.tasks) or None


def _replaced(text: str) -> frozenset[str] | None:
    """Return the names that a case's own text binds; None if it does anything else."""
    names: set[str] = set()
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name))]):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
            case _:
                return None
    return frozenset(names)


@STATE.keep(256)
def _mentioned(reference: str, every: tuple[str, ...], functions: frozenset[str]) -> frozenset[str]:
    """Return every name in the reference's definitions that `functions` depend on."""
    graded = slice_cells([Cell(0, reference)], every).source  # without the notebook's experiments
    tree = ast.parse(slice_cells([Cell(0, graded)], functions).source)
    defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return frozenset(defined | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})


def table(exercise: Exercise) -> str:
    """Return the mutants and variants as a table in Markdown, for the documentation."""
    every = list(cases(exercise))
    rows = [f"## {exercise.slug}", "", "| wrong answer | its mistake | loses |", "|---|---|---|"]
    rows += [f"| `{c.name}` | {c.about} | {', '.join(sorted(c.loses))} |" for c in every if c.kind == "mutant"]
    rows += ["", "| other right answer | how it differs |", "|---|---|"]
    rows += [f"| `{c.name}` | {c.about} |" for c in every if c.kind == "variant"]
    return "\n".join(rows) + "\n"


def document(exercises: list[Exercise]) -> str:
    """Return the page of the documentation that lists every wrong and every other right answer."""
    head = (
        "# Answers whose grade is known\n\n"
        "Every release of the kit grades these; `ptqlab verify` does it on your machine. A wrong answer "
        "must lose exactly\n"
        "the items named, an unusual right one none. The reference gets full points and the untouched notebook none.\n"
        "Written by `ptqlab verify --table docs/mutants.md`.\n"
    )
    return "\n".join([head, *(table(exercise) for exercise in exercises)])
