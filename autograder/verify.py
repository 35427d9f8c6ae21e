"""An instructor's dry run: does the grader tell right answers from wrong ones? Run on every mutant and variant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograder.batch import processes
from autograder.grade import grade
from autograder.model import Exercise, PtqlabError, Report, Settings, Submission
from autograder.notebook import read_submission
from autograder.slicing import Cell, slice_cells
from autograder.sources import reference_source

HEADER = re.compile(r"^# (loses|mistake|variant of|differs): *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One answer whose verdict is known beforehand: the tasks it must lose, and no others."""

    name: str
    kind: str  # reference, stub, mutant or variant
    source: str
    loses: frozenset[str]
    about: str  # the mistake, or how the variant differs
    concerns: frozenset[str] | None = None  # the tasks in its header: what it is about; None: all


@dataclass(frozen=True)
class Finding:
    """What the grader said of a case."""

    case: Case
    lost: frozenset[str]
    report: Report

    @property
    def as_expected(self) -> bool:
        """Whether exactly the tasks that had to be lost were lost, in a score that was issued."""
        return self.lost == self.case.loses and self.report.earned is not None


def cases(exercise: Exercise) -> Iterator[Case]:
    """The reference, the untouched stub, and every mutant and variant of an exercise."""
    if exercise.solution is None:
        raise PtqlabError(
            f"Expected solutions/{exercise.slug} beside the exercises; verify needs an instructor's clone."
        )
    reference = reference_source(exercise.solution / "source.py")
    every = frozenset(task.id for task in exercise.tasks)
    yield Case("reference", "reference", reference, frozenset(), "the reference solution")
    stub = read_submission(exercise.folder / f"{exercise.slug}.ipynb", exercise, "stub")
    yield Case("stub", "stub", stub.source, every, "the notebook as students get it")
    for kind, folder in (("mutant", "mutants"), ("variant", "variants")):
        for path in sorted((exercise.solution / folder).glob("*.py")):
            yield _case(path, kind, reference, every)


def _case(path: Path, kind: str, reference: str, every: frozenset[str]) -> Case:
    text = path.read_text(encoding="utf-8")
    header = dict(HEADER.findall(text))
    need = ("loses", "mistake") if kind == "mutant" else ("variant of", "differs")
    if not all(header.get(word) for word in need):
        raise PtqlabError(f"Expected '# {need[0]}: …' and '# {need[1]}: …' at the top of {path.name}; add them.")
    tasks = frozenset(header[need[0]].split())
    if not tasks <= every:
        raise PtqlabError(
            f"{path.name} names the tasks {', '.join(sorted(tasks - every))}, which the exercise does not have."
        )
    source = f"{reference}\n\n{text}"
    return Case(path.stem, kind, source, tasks if kind == "mutant" else frozenset(), header[need[1]], tasks)


def examine(exercise: Exercise, case: Case, settings: Settings, *, quick: bool = False) -> Finding:
    """Grade one case as if a student had handed it in: what no task needs (plots, experiments) is cut off first.

    `quick` grades only the tasks that the case is about, and so does not see what it should leave alone.
    """
    needed = slice_cells([Cell(0, case.source)], exercise.functions)
    submission = Submission(case.name, exercise.slug, needed.source, "")
    report = grade(exercise, submission, settings, only=case.concerns if quick else None)
    lost = frozenset(task.id for task in report.tasks if task.status != "full")
    return Finding(case, lost, report)


def table(exercise: Exercise) -> str:
    """The mutants and variants as a table in Markdown, for the documentation."""
    known = list(cases(exercise))
    rows = [f"## {exercise.slug}", "", "| wrong answer | its mistake | loses |", "|---|---|---|"]
    rows += [f"| `{c.name}` | {c.about} | {', '.join(sorted(c.loses))} |" for c in known if c.kind == "mutant"]
    rows += ["", "| other right answer | how it differs |", "|---|---|"]
    rows += [f"| `{c.name}` | {c.about} |" for c in known if c.kind == "variant"]
    return "\n".join(rows) + "\n"


def document(exercises: list[Exercise]) -> str:
    """The page that shows who grades that the grader is right: every wrong and every other right answer."""
    head = (
        "# Answers whose grade is known\n\n"
        "Every release of the kit grades these; `ptqlab verify` does it on your machine. A wrong answer must lose exactly\n"
        "the tasks named, an unusual right one none. The reference gets full points and the untouched notebook none.\n"
        "Written by `ptqlab verify --table docs/mutants.md`.\n"
    )
    return "\n".join([head, *(table(exercise) for exercise in exercises)])


def run(exercise: Exercise, seeds: int, console: Console, jobs: int = 1) -> int:
    """Grade every case under each seed, print what came out, and count the cases that were graded wrongly."""
    known = list(cases(exercise))
    todo = [(exercise, case, Settings(seed)) for seed in range(1, seeds + 1) for case in known]
    wrong = 0
    for (_, _, settings), finding in zip(todo, _examined(todo, jobs), strict=True):
        if not finding.as_expected:
            wrong += 1
            console.print(Text(_complaint(finding, settings.seed), style="red"), soft_wrap=True)
    counts = Counter(case.kind for case in known)
    verdict = "all graded as they must be" if not wrong else f"{wrong} graded wrongly"
    console.print(
        f"{exercise.slug}: {counts['mutant']} mutants and {counts['variant']} variants, reference and stub, "
        f"under {seeds} seed{'s' * (seeds > 1)}: {verdict}",
        highlight=False,
        soft_wrap=True,
    )
    return wrong


def _examined(todo: list[tuple[Exercise, Case, Settings]], jobs: int) -> Iterator[Finding]:
    if jobs <= 1:
        yield from (examine(*item) for item in todo)
        return
    with processes(jobs) as pool:
        yield from pool.map(examine, *zip(*todo, strict=True), chunksize=4)


def _complaint(finding: Finding, seed: int) -> str:
    case = finding.case
    expected = ", ".join(sorted(case.loses)) or "nothing"
    lines = [
        f"{case.kind} {case.name} (seed {seed}): expected to lose {expected}, lost {', '.join(sorted(finding.lost)) or 'nothing'}"
    ]
    for task in finding.report.tasks:
        if (task.id in finding.lost) != (task.id in case.loses):
            lines += [f"  {t.test}: {t.status} {t.message}" for t in task.tests if t.status != "passed"]
    return "\n".join(lines)
