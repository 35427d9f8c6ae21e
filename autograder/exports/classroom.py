"""GitHub Classroom: the files of a starter repository, whose workflow runs the public tests on every push."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from autograder.course.wheel import build_wheel
from autograder.records import Exercise, Task
from autograder.report.text import in_language

WORKFLOW = ".github/workflows/classroom.yml"
_MINUTES = 10

_HEAD = """\
# GitHub Classroom runs this on every push: a task's practice points are given when all its public tests pass.
# They are no grade: who can push here can change this file, the tests and the kit. Hidden tests are not here and never
# should be; grade with `ptqlab grade` on a machine of your own.
name: Autograding Tests
on: [push, repository_dispatch]
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  run-autograding-tests:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    steps:
      - name: Checkout code
        uses: actions/checkout@v4
      - name: Set up Python
        uses: actions/setup-python@v5
        with:
          python-version: "3.12"
          cache: pip
          cache-dependency-path: .github/constraints.txt
      - name: Install the kit
        run: python -m pip install {pip}-c .github/constraints.txt .github/{wheel}
"""
_TASK = """\
      - name: {name}
        id: {id}
        uses: classroom-resources/autograding-command-grader@v1
        with:
          test-name: {name}
          command: ptqlab check exercises/{notebook} --task {task}
          timeout: {minutes}
          max-score: {points:g}
"""
_TAIL = """\
      - name: Autograding Reporter
        uses: classroom-resources/autograding-grading-reporter@v1
        env:
{results}
        with:
          runners: {runners}
"""
_README = """\
# {title}

You need Python 3.11 or newer. In this folder:

    python3 -m venv .venv             (Windows: py -m venv .venv)
    source .venv/bin/activate         (Windows: .venv\\Scripts\\activate)
    pip install "./.github/{wheel}[lab]"
    jupyter lab exercises/{notebook}

On Linux without a GPU, install the CPU build of PyTorch {torch} first (pytorch.org shows how).

Write the functions; after each one, run the `check` cell below it. Then commit and push: every push runs the
same tests and reports the practice points so far. They are no grade: your instructor grades with more tests of the same
kind and other inputs.
"""


def starter_repository(exercise: Exercise, language: str = "en", pip: str = "") -> dict[str, bytes]:
    """Path -> bytes of the repository that students get a copy of: README, notebook, public tests, data, kit and
    workflow.
    """
    wheel, data = build_wheel()
    notebook = f"{exercise.slug}/{exercise.slug}{'' if language == 'en' else '.' + language}.ipynb"
    shipped = (f"{exercise.slug}/exercise.toml", f"{exercise.slug}/test_public.py", notebook)
    pins = exercise.folder.parent.parent / "constraints.txt"
    datasets = exercise.folder.parent.parent / "datasets"
    words = {"title": in_language(exercise.title, language), "torch": metadata.version("torch").partition("+")[0]}
    return {
        "README.md": _README.format(wheel=wheel, notebook=notebook, **words).encode(),
        ".gitignore": b".venv/\n__pycache__/\n.ipynb_checkpoints/\nexperiments.jsonl\n",
        WORKFLOW: workflow(exercise, notebook, wheel, pip).encode(),
        ".github/constraints.txt": pins.read_bytes() if pins.is_file() else b"",
        f".github/{wheel}": data,
        **{f"exercises/{name}": (exercise.folder.parent / name).read_bytes() for name in shipped},
        **{f"datasets/{name}": content for name, content in _data(datasets).items()},
    }


def workflow(exercise: Exercise, notebook: str, wheel: str, pip: str = "") -> str:
    """The text of classroom.yml; `notebook` is its path below exercises/."""
    head = _HEAD.format(wheel=wheel, pip=f"{pip} " if pip else "")
    steps = "".join(
        _TASK.format(
            name=_name(task), id=_id(task), task=task.id, notebook=notebook, points=task.points, minutes=_MINUTES
        )
        for task in exercise.tasks
    )
    results = "\n".join(
        f'          {_id(task).upper()}_RESULTS: "${{{{steps.{_id(task)}.outputs.result}}}}"' for task in exercise.tasks
    )
    return head + steps + _TAIL.format(results=results, runners=",".join(_id(task) for task in exercise.tasks))


def _name(task: Task) -> str:
    title = "".join(letter for letter in task.title["en"] if letter.isalnum() or letter in " -")
    return f"Task {task.id} {title}".strip()


def _id(task: Task) -> str:
    return f"task-{task.id.replace('.', '-')}"


def _data(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
