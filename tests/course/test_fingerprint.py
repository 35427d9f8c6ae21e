"""Two fingerprints: what decides outcomes, and what decides points; all else is in neither."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from support import ROOT
from support.rubrics import rubric

from autograder.course import fingerprint
from autograder.course.fingerprint import deciding_modules, outcomes_sha256, points_sha256, provenance
from autograder.records import Exercise, Limits, Task

TEXT = {"en": "t", "zh-TW": "t"}
TESTS = 'import pytest\n\n\n@pytest.mark.task("1.1", item="values")\ndef test_f(student):\n    """It is 1."""\n    assert student.f() == 1\n'
SOURCE = '# %% [markdown] lang="en"\n# # A lab\n\n# %%\ndef f():\n    return 1\n'


@pytest.fixture
def exercise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exercise:
    """An exercise with tests, reference and data, and a kit of two modules."""
    files = {
        "exercises/01_x/test_public.py": TESTS,
        "exercises/01_x/checks.py": "HELPER = 1\n",
        "solutions/01_x/test_hidden.py": TESTS,
        "solutions/01_x/checks.py": "HELPER = 2\n",
        "solutions/01_x/source.py": SOURCE,
        "solutions/held_back/manifest.json": "{}",
        "datasets/manifest.json": "{}",
        "autograder/testing/expect.py": "def expect(): ...\n",
        "autograder/lab/models.py": "def load_model(): ...\n",
        "autograder/lab/plots/basic.py": "def plot(): ...\n",
        "autograder/report/labels.py": "LABELS = {}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(fingerprint, "_PACKAGE", tmp_path / "autograder")
    monkeypatch.setattr(fingerprint, "DECIDING", ("testing", "lab/models.py"))
    task = Task("1.1", TEXT, ("f",), 4, TEXT, rubric(values=60, state=40))
    return Exercise("01_x", TEXT, (task,), Limits(), tmp_path / "exercises" / "01_x", tmp_path / "solutions" / "01_x")


Change = Callable[[Exercise], Exercise]


def written(name: str, text: str) -> Change:
    """Write a file of the course or of its kit."""

    def change(exercise: Exercise) -> Exercise:
        (exercise.folder.parent.parent / name).write_text(text, encoding="utf-8")
        return exercise

    return change


def of_task(**changes: object) -> Change:
    return lambda exercise: replace(exercise, tasks=(replace(exercise.tasks[0], **changes),))  # type: ignore[arg-type]


OUTCOMES: dict[str, Change] = {
    "a public test": written("exercises/01_x/test_public.py", TESTS.replace("== 1", "== 2")),
    "a hidden test": written("solutions/01_x/test_hidden.py", TESTS.replace("== 1", "== 2")),
    "a test's item": written("exercises/01_x/test_public.py", TESTS.replace('"values"', '"state"')),
    "a test's claim": written("exercises/01_x/test_public.py", TESTS.replace("It is 1.", "It is one.")),
    "a shared check": written("exercises/01_x/checks.py", "HELPER = 3\n"),
    "a hidden shared check": written("solutions/01_x/checks.py", "HELPER = 3\n"),
    "a test that does not parse": written("exercises/01_x/test_public.py", f"{TESTS}("),
    "the reference": written("solutions/01_x/source.py", SOURCE.replace("return 1", "return 2")),
    "the data": written("datasets/manifest.json", '{"a": 1}'),
    "the held-back data": written("solutions/held_back/manifest.json", '{"a": 1}'),
    "the kit's tests": written("autograder/testing/expect.py", "def expect(): return 1\n"),
    "a model of the lab": written("autograder/lab/models.py", "def load_model(): return 1\n"),
    "a limit": lambda exercise: replace(exercise, limits=Limits(call_cpu_s=5)),
    "a graded name": of_task(functions=("g",)),
    "a task's id": of_task(id="1.2"),
    "no solution": lambda exercise: replace(exercise, solution=None),
}
POINTS: dict[str, Change] = {
    "points": of_task(points=5),
    "a bonus": of_task(bonus=True),
    "shares": of_task(rubric=rubric(values=60, state=30, errors=10)),
    "an item's name": of_task(rubric=rubric(values=60, errors=40)),
}
NEITHER: dict[str, Change] = {
    "the title": lambda exercise: replace(exercise, title={"en": "u"}),
    "a task's title": of_task(title={"en": "u"}),
    "a hint": of_task(hint={"en": "u"}),
    "an item's hint": of_task(rubric=tuple(replace(i, hint={"en": "u"}) for i in rubric(values=60, state=40))),
    "what an item asks": of_task(rubric=tuple(replace(i, text={"en": "u"}) for i in rubric(values=60, state=40))),
    "a comment in a test": written("solutions/01_x/test_hidden.py", f"# new\n{TESTS}"),
    "the notebook's text": written("solutions/01_x/source.py", SOURCE.replace("A lab", "The lab")),
    "a plot": written("autograder/lab/plots/basic.py", "def plot(): return 1\n"),
    "a report": written("autograder/report/labels.py", "LABELS = {1: 2}\n"),
    "a folder's other file": written("exercises/01_x/notes.py", "x = 1\n"),
    "nothing": lambda exercise: exercise,
}


def both(exercise: Exercise) -> tuple[str, str]:
    fingerprint._files_sha256.cache_clear()
    return outcomes_sha256(exercise), points_sha256(exercise)


def cases() -> Iterator[object]:
    for changes, differ in ((OUTCOMES, (True, False)), (POINTS, (False, True)), (NEITHER, (False, False))):
        for name, change in changes.items():
            # a task's id stands in both: points belong to it, and so do tests
            yield pytest.param(change, (True, True) if name == "a task's id" else differ, id=name)


@pytest.mark.parametrize("change, differ", list(cases()))
def test_a_change_is_seen_by_the_fingerprint_of_what_it_decides(
    exercise: Exercise, change: Change, differ: tuple[bool, bool]
) -> None:
    """Tests, data, limits and the kit decide outcomes; points, bonus and shares decide points; the rest decides neither."""
    before = both(exercise)
    after = both(change(exercise))
    assert tuple(old != new for old, new in zip(before, after, strict=True)) == differ


def test_another_torch_is_another_grader(exercise: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's version decides outcomes, and no points."""
    before = both(exercise)
    monkeypatch.setattr(fingerprint, "version", lambda package: f"{package} 99")
    after = both(exercise)
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)


def test_a_line_that_moves_from_one_file_to_the_next_is_seen(exercise: Exercise) -> None:
    """Files are told apart, not only strung together."""
    before = both(exercise)
    course = exercise.folder.parent.parent
    (course / "datasets" / "manifest.json").write_text("{", encoding="utf-8")
    (course / "autograder" / "lab" / "models.py").write_text("}def load_model(): ...\n", encoding="utf-8")
    assert both(exercise)[0] != before[0]


def test_a_provenance_has_both_and_how_it_was_graded(exercise: Exercise) -> None:
    """Every field is that of the exercise, of the kit or of the settings."""
    found = provenance(exercise, 7, "cpu", "jail")
    assert (found.outcomes_sha256, found.points_sha256) == both(exercise)
    assert (found.kit_version, found.seed, found.device, found.isolation, found.limits) == (
        fingerprint.kit_version(),
        7,
        "cpu",
        "jail",
        exercise.limits,
    )
    assert len(fields(found)) == 7


# --- the list of modules ------------------------------------------------------------------------------------------

# imported by what grades, and yet without a say in how a test ends
NO_SAY = {
    "course/catalog.py",  # what it reads is in the fingerprint: limits and graded names
    "course/fingerprint.py",
    "course/sources.py",  # source.py itself is in the fingerprint
    "lab/__init__.py",  # for notebooks: re-exports, the student's own check, plots, tables
    "lab/checking.py",
    "lab/comparison.py",
    "lab/evaluation.py",
    "lab/experiments.py",
    "lab/machine.py",
    "lab/plots",
    "records.py",
    "report",
    "scoring.py",  # points, from outcomes
}


def _imported(file: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            path = ROOT / name.replace(".", "/")
            yield from (found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file())


def test_every_module_that_grades_or_that_a_test_imports_is_in_the_list_or_has_no_say() -> None:
    """Followed from the tests of all labs, from `grade` and from the worker, also where an import is lazy."""
    package = ROOT / "autograder"
    todo = [*ROOT.glob("exercises/*/test_public.py"), *ROOT.glob("solutions/*/test_hidden.py")]
    todo += [
        package / "grading" / "grade.py",
        package / "sandbox" / "worker_main.py",
        package / "sandbox" / "zygote.py",
    ]
    reached: set[Path] = set()
    while todo:
        file = todo.pop()
        if file not in reached:
            reached.add(file)
            todo += _imported(file)
    listed = set(deciding_modules())
    names = {file.relative_to(package).as_posix() for file in reached - listed if package in file.parents}
    assert {
        name
        for name in names
        if name not in NO_SAY and name.partition("/")[0] not in NO_SAY and name.rpartition("/")[0] not in NO_SAY
    } == set()
    assert all(file.is_file() for file in listed)
    assert len(listed) > 40
