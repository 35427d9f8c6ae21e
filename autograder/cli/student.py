"""Commands for students: start, check. They work on Linux, macOS and Windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autograder.cli.course import chosen, name_course, read_course, share_course
from autograder.cli.options import CourseOption, ExerciseOption, ExercisesOption, epilog
from autograder.course.catalog import load_exercise, pick_exercise
from autograder.records import Exercise, PtqlabError

commands = typer.Typer()
_PANEL = "Solve exercises"


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog("ptqlab start ptq", "ptqlab start ptq --exercise 01", codes={0: "the folder is complete"}),
)
def start(
    folder: Annotated[Path, typer.Argument(help="Folder to work in; made if missing.")],
    exercise: ExercisesOption = None,
    course: CourseOption = None,
) -> None:
    """Copy the exercises and their data into a folder of your own.

    Changes no existing file.
    """
    from autograder.course.start import unpack  # noqa: PLC0415

    selected = chosen(read_course(course, None), exercise)
    written, kept = unpack(folder, selected)
    print(f"wrote {len(written)} files to {folder}" + (f", left {len(kept)} as they were" if kept else ""))
    print(f"Next: jupyter lab {folder / 'exercises' / selected[0].slug / (selected[0].slug + '.ipynb')}")


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog(
        "ptqlab check",
        "ptqlab check 01_basic_quantization.ipynb --task 1.1",
        codes={0: "every test passed", 1: "at least one test failed"},
    ),
)
def check(
    notebook: Annotated[
        Path | None,
        typer.Argument(help="Your notebook or module.", show_default="the newest of this folder's exercise"),
    ] = None,
    task: Annotated[str | None, typer.Option(help="One task, such as 1.1.", show_default="all")] = None,
    exercise: ExerciseOption = None,
    course: CourseOption = None,
) -> None:
    """Run the public tests on your own work, in this process."""
    from autograder.lab.checking import check_namespace  # noqa: PLC0415
    from autograder.report.terminal import print_lines  # noqa: PLC0415
    from autograder.testing.own_work import load_file, own_file  # noqa: PLC0415

    checked = _exercise_of(notebook, exercise, course)
    path = notebook or own_file(Path.cwd(), checked.slug)
    namespace, _, notes = load_file(path, checked)
    result = check_namespace(checked, namespace, task, notes)
    print_lines(str(result).splitlines(), Console())
    raise typer.Exit(0 if result.passed else 1)


def _exercise_of(notebook: Path | None, key: str | None, course: Path | None) -> Exercise:
    """Return the exercise that `key` names, else the one whose folder holds the notebook, else its namesake."""
    folder = notebook.parent.resolve() if notebook else Path.cwd()
    if key is None and (folder / "exercise.toml").is_file():
        exercise = load_exercise(folder)
        name_course(exercise)
        return exercise
    key = key or (notebook.name.split(".")[0] if notebook else None)
    if key is None:
        raise PtqlabError(
            f"Expected an exercise.toml in {folder}, but there is none; go to the folder of your notebook, or give the "
            "notebook's path."
        )
    exercises = read_course(course, None)
    share_course(course, exercises)
    return pick_exercise(exercises, key)
