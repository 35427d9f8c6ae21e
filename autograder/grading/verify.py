"""An instructor's dry run: grade every answer whose verdict is known, right and wrong, and compare."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from autograder.course.sources import reference_source
from autograder.grading.grade import grade
from autograder.grading.reference import reference_namespace
from autograder.pool.executor import GraderPool
from autograder.records import Exercise, PtqlabError, Report, Settings, Status, Submission
from autograder.runtime.dispatcher import MODULE
from autograder.runtime.process_state import STATE
from autograder.submission.pieces import Cell
from autograder.submission.reader import read_submission
from autograder.submission.slicing import slice_cells
from autograder.testing.plugin import run_suites
from autograder.testing.proxy import InProcess

HEADER = re.compile(r"^# (loses|mistake|variant of|differs): *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One answer whose verdict is known beforehand: the tasks it must lose, and no others."""

    name: str
    kind: str  # reference, stub, mutant or variant
    source: str
    loses: frozenset[str]
    about: str  # the mistake, or how the variant differs
    tasks: frozenset[str] = frozenset()  # those whose answers differ from the reference's


@dataclass(frozen=True)
class Verification:
    """The grader's verdict on a case."""

    case: Case
    lost: frozenset[str]
    report: Report

    @property
    def as_expected(self) -> bool:
        """Tell whether exactly the tasks that had to be lost were lost, in a score that was issued."""
        return self.lost == self.case.loses and self.report.earned is not None


def cases(exercise: Exercise) -> Iterator[Case]:
    """Yield the reference, the untouched stub, and every mutant and variant of an exercise."""
    reference = _reference(exercise)
    assert exercise.solution is not None
    every = frozenset(task.id for task in exercise.tasks)
    yield Case("reference", "reference", reference, frozenset(), "the reference solution")
    stub = read_submission(exercise.folder / f"{exercise.slug}.ipynb", exercise, "stub")
    yield Case("stub", "stub", stub.source, every, "the notebook as students get it")
    for kind, folder in (("mutant", "mutants"), ("variant", "variants")):
        for path in sorted((exercise.solution / folder).glob("*.py")):
            yield _case(path, kind, reference, every)


def _reference(exercise: Exercise) -> str:
    if exercise.solution is None:
        raise PtqlabError(
            f"Expected solutions/{exercise.slug} beside the exercises; verify needs an instructor's clone."
        )
    return reference_source(exercise.solution / "source.py")


def _case(path: Path, kind: str, reference: str, every: frozenset[str]) -> Case:
    text = path.read_text(encoding="utf-8")
    header = dict(HEADER.findall(text))
    of_tasks, about = ("loses", "mistake") if kind == "mutant" else ("variant of", "differs")
    if not (header.get(of_tasks) and header.get(about)):
        raise PtqlabError(f"Expected '# {of_tasks}: …' and '# {about}: …' at the top of {path.name}; add them.")
    tasks = frozenset(header[of_tasks].split())
    if not tasks <= every:
        raise PtqlabError(
            f"{path.name} names the tasks {', '.join(sorted(tasks - every))}, which the exercise does not have."
        )
    source = f"{reference}\n\n{text}"
    return Case(path.stem, kind, source, tasks if kind == "mutant" else frozenset(), header[about], tasks)


def examine(exercise: Exercise, case: Case, settings: Settings, only: Collection[str] | None = None) -> Verification:
    """Grade one case as if a student had handed it in: what no task needs (plots, experiments) is cut off first.

    `only` names the tasks to grade; the others were found to be the reference's (see `altered`). A wrong answer's task
    is lost with the first test that does not pass, and the rest of its tests are not run.
    """
    sliced = slice_cells([Cell(0, case.source)], exercise.functions)
    submission = Submission(case.name, exercise.slug, sliced.source, "")
    report = grade(exercise, submission, settings, only=only, until_lost=case.kind == "mutant")
    lost = frozenset(task.id for task in report.tasks if task.status != "full")
    return Verification(case, lost, report)


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
    return frozenset(tasks | case.loses) or None


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


def functions_called(exercise: Exercise) -> dict[str, frozenset[str]]:
    """Return, for each task, the functions that its tests call."""
    return {task.id: functions_called_in(exercise, task.id) for task in exercise.tasks}


def functions_called_in(exercise: Exercise, task: str) -> frozenset[str]:
    """Return the functions that one task's tests call, as seen while the reference solves them in this process."""
    assert exercise.solution is not None
    student = _NamesCalled(reference_namespace(exercise.folder, exercise.solution))
    outcomes = run_suites(exercise, student, 1, ("cpu",), hidden=True, only={task}, reference=reference_namespace)
    passed = all(outcome.status is Status.PASSED for outcome in outcomes)
    return frozenset(student.names if passed else exercise.functions)  # a test that ended early may call more


class _NamesCalled(InProcess):
    """An endpoint that notes which functions of the module are called."""

    def __init__(self, namespace: Any, names: set[str] | None = None) -> None:
        super().__init__(namespace)
        self.names = set() if names is None else names

    def fresh(self) -> _NamesCalled:
        return _NamesCalled(self._namespace, self.names)

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["op"] == "call" and request["target"] == MODULE:
            self.names.add(request["name"].split(".")[0])
        return super().run(request)


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
        "the tasks named, an unusual right one none. The reference gets full points and the untouched notebook none.\n"
        "Written by `ptqlab verify --table docs/mutants.md`.\n"
    )
    return "\n".join([head, *(table(exercise) for exercise in exercises)])


def run(exercise: Exercise, seeds: int, console: Console, jobs: int = 1) -> int:
    """Grade every case under each seed, print the verdict, and return how many cases were graded wrongly.

    The reference and the stub are graded in full, the others in the tasks whose tests can see how they differ.
    """
    every = list(cases(exercise))
    wrong = 0
    with GraderPool(jobs, preload=exercise.preload) as pool:
        pending = {task.id: pool.submit(functions_called_in, exercise, task.id) for task in exercise.tasks}
        called = {task: future.result() for task, future in pending.items()}
        futures = [
            (seed, pool.submit(examine, exercise, case, Settings(seed), altered(exercise, case, called)))
            for seed in range(1, seeds + 1)
            for case in every
        ]
        for seed, future in futures:
            verification = future.result()
            if not verification.as_expected:
                wrong += 1
                console.print(Text(_complaint(verification, seed), style="red"), soft_wrap=True)
    counts = Counter(case.kind for case in every)
    verdict = "all graded as they must be" if not wrong else f"{wrong} graded wrongly"
    console.print(
        f"{exercise.slug}: {counts['mutant']} mutants and {counts['variant']} variants, reference and stub, "
        f"under {seeds} seed{'s' * (seeds > 1)}: {verdict}",
        highlight=False,
        soft_wrap=True,
    )
    return wrong


def _complaint(verification: Verification, seed: int) -> str:
    case = verification.case
    expected = ", ".join(sorted(case.loses)) or "nothing"
    lost = ", ".join(sorted(verification.lost)) or "nothing"
    lines = [f"{case.kind} {case.name} (seed {seed}): expected to lose {expected}, lost {lost}"]
    for task in verification.report.tasks:
        if (task.id in verification.lost) != (task.id in case.loses):
            lines += [f"  {t.test}: {t.status} {t.message}" for t in task.tests if t.status != "passed"]
    return "\n".join(lines)
