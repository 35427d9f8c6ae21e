"""The nouns of the kit: frozen, standard library only, no behaviour beyond what a noun knows of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path

Text = Mapping[str, str]
"""One text in several languages: {"en": …, "zh-TW": …}."""


class PtqlabError(Exception):
    """A mistake a user can mend; its text says what was expected, what came, and what to do."""


class Status(StrEnum):
    """How one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    MISSING = "missing"  # the function is not written yet: absent, or it raises NotImplementedError
    REFUSED = "refused"  # it called a ready-made quantizer where the task is to write one
    GRADER_ERROR = "grader_error"  # our own fault: the score is withheld


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Times are the worker's CPU seconds; the wall clock gets ten times that."""

    call_cpu_s: float = 10.0
    submission_cpu_s: float = 120.0
    memory_mb: int = 4096
    scratch_mb: int = 64
    reply_mb: int = 256


VALUES = "values"
ITEMS = (VALUES, "extremes", "inputs", "errors", "state", "memory", "artifact", "devices")
"""What a test can ask of an answer: the vocabulary of every rubric."""


@dataclass(frozen=True, slots=True)
class RubricItem:
    """A part of a task's points: one of `ITEMS`, its share in percent, and what it asks in one sentence.

    `hint` is for who loses it; an item without one has the task's.
    """

    item: str
    share: int
    text: Text
    hint: Text = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One thing to write. `functions` are the graded names; `points` are shared by the rubric's items."""

    id: str
    title: Text
    functions: tuple[str, ...]
    points: float
    hint: Text
    rubric: tuple[RubricItem, ...] = ()
    bonus: bool = False


@dataclass(frozen=True)
class Exercise:
    """One folder under exercises/, and the folder of the same name under solutions/ where there is one."""

    slug: str
    title: Text
    tasks: tuple[Task, ...]
    limits: Limits
    folder: Path
    solution: Path | None = None
    preload: tuple[str, ...] = ()  # modules of libraries that its answers use: imported once for a class

    @property
    def functions(self) -> tuple[str, ...]:
        """Every graded name, in the order of the tasks."""
        return tuple(name for task in self.tasks for name in task.functions)

    @property
    def possible(self) -> float:
        """Points without the bonus."""
        return sum(task.points for task in self.tasks if not task.bonus)


@dataclass(frozen=True)
class Submission:
    """What a student handed in, as one module's source.

    `problem` says why nothing could be read (then `source` is empty); `notes` are sentences for the student:
    cells that do not parse, statements that were dropped. `helpers`: files that it imports, name -> source.
    `late_annotations`: they may name what is not there yet. `needs_python` and `absent`: graded name -> the Python, or
    the package, that it depends on and that isn't here, and where.
    """

    student: str
    exercise: str
    source: str
    sha256: str
    problem: str = ""
    notes: tuple[str, ...] = ()
    helpers: Mapping[str, str] = field(default_factory=dict)
    late_annotations: bool = False
    needs_python: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    absent: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one file that came in, in one word or two (`what`); `why` says more where there is more."""

    path: str
    owner: str
    lab: str
    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended for one submission, all devices together."""

    test: str  # "test_hidden.py::test_scale_is_amax_over_127"
    task: str
    item: str  # of the task's rubric
    hidden: bool
    status: Status
    claim: str  # the test's docstring
    message: str = ""  # what to tell the student; free of values when the test is hidden
    duration_s: float = 0.0
    hint: Text = field(default_factory=dict)  # for this test alone, where the exercise has one


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What one item of a task's rubric earned.

    `status`: full, partial (`values` alone), none, waiting (its tests passed, but `values` is incomplete),
    unchecked (none of its tests ran) or withheld.
    """

    item: str
    text: Text
    points: float
    earned: float
    status: str


@dataclass(frozen=True, slots=True)
class TaskScore:
    """What one task earned. `status`: full, partial, none, missing, refused or withheld."""

    id: str
    title: Text
    points: float
    earned: float
    bonus: bool
    status: str
    hint: Text
    items: tuple[ItemScore, ...]
    tests: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a score was made with: enough to tell whether another grading could come to another one."""

    kit_version: str
    outcomes_sha256: str  # of what decides how tests end
    points_sha256: str  # of what decides what passing is worth
    seed: int
    device: str
    isolation: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Report:
    """One student's result in one exercise.

    `status`: graded, partial (some tests timed out or crashed), unreadable (nothing to grade),
    withheld (our own fault: no score is issued). `earned` is None exactly when the score is withheld.
    """

    student: str
    exercise: str
    title: Text
    earned: float | None
    possible: float
    status: str
    reason: str  # why it is not plainly "graded"; empty otherwise
    kit_version: str
    outcomes_sha256: str
    points_sha256: str
    seed: int
    device: str
    isolation: str
    limits: Limits
    submission_sha256: str
    duration_s: float
    notes: tuple[str, ...]
    tasks: tuple[TaskScore, ...]

    @property
    def provenance(self) -> Provenance:
        """What the score was made with; in the report its fields stand beside the others."""
        return Provenance(**{field.name: getattr(self, field.name) for field in fields(Provenance)})


@dataclass(frozen=True)
class Settings:
    """How a class is graded: the same for every student of an assignment."""

    seed: int
    device: str = "auto"  # auto, cpu or cuda
    isolation: str = "auto"  # auto or none
    language: str = "en"
    every_test: bool = False  # run each test for each student, also where the same answers have been judged before
