"""The commands `ptqlab nbgrader`, `ptqlab export` and `ptqlab start`; cli.py registers them."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from autograder.records import Exercise, PtqlabError

Course = Annotated[Path | None, typer.Option(help="The folder that holds exercises/ (found by itself in a clone).")]
Solutions = Annotated[Path | None, typer.Option(help="The folder of solutions, where it is not beside exercises/.")]
Only = Annotated[list[str] | None, typer.Option("--exercise", help="An exercise's slug or number; may be repeated.")]

nbgrader_app = typer.Typer(help="Courses for nbgrader.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands to the `ptqlab` command."""
    app.add_typer(nbgrader_app, name="nbgrader")
    app.command()(export)
    app.command()(start)


@nbgrader_app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="COURSE", help="The course's folder; made where it is missing.")],
    exercise: Only = None,
    language: Annotated[str, typer.Option(help="Of the notebooks and of what students read: en or zh-TW.")] = "en",
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Make an nbgrader course: an assignment for each exercise, graded by ptqlab. Changes no file that is there."""
    from autograder.exports.nbgrader import init_course  # noqa: PLC0415

    _one_of("--language", language, ("en", "zh-TW"))
    exercises = _chosen(exercise, course, solutions)
    written, kept = init_course(folder, exercises, language)
    for path in written:
        print(f"wrote {path.relative_to(folder)}")
    for path in kept:
        print(f"left {path.relative_to(folder)} as it was")
    print(f"Next, in {folder}: nbgrader generate_assignment {exercises[0].slug}")


@nbgrader_app.callback()
def _nbgrader() -> None:
    """Keep `init` a command of its own."""


def export(
    to: Annotated[str, typer.Option("--to", help="canvas, moodle, otter, gradescope or github-classroom.")],
    out: Annotated[Path, typer.Option(help="The file to write; for github-classroom a folder.")],
    grades: Annotated[
        Path | None, typer.Argument(help="The --out folder of `ptqlab grade`, or an nbgrader course: for the tables.")
    ] = None,
    exercise: Only = None,
    roster: Annotated[
        Path | None, typer.Option(help="The CSV that the platform gave out: Canvas's export, Moodle's worksheet.")
    ] = None,
    column: Annotated[
        str, typer.Option(help="Moodle without a roster: the user field that students' names are.")
    ] = "Username",
    seed: Annotated[int | None, typer.Option(help="Gradescope: the assignment's seed; else drawn.")] = None,
    hidden: Annotated[
        str, typer.Option(help="Gradescope: when students see hidden tests' names (visible, after_due_date, …).")
    ] = "after_published",
    language: Annotated[str, typer.Option(help="Of what students read: en or zh-TW.")] = "en",
    isolation: Annotated[
        str, typer.Option(help="Gradescope: auto, or none to run student code without a jail.")
    ] = "auto",
    pip: Annotated[
        str, typer.Option(help="Further arguments for pip where the kit is installed, such as an index.")
    ] = "",
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Write grades for a platform, or an exercise as the platform wants it."""
    _one_of("--to", to, (*_TABLES, "gradescope", "github-classroom"))
    _one_of("--language", language, ("en", "zh-TW"))
    _one_of("--isolation", isolation, ("auto", "none"))
    exercises = _chosen(exercise, course, solutions)
    if to in _TABLES:
        raise typer.Exit(_table(to, out, grades, exercises, roster, column))
    if len(exercises) != 1:
        raise PtqlabError(f"Expected one exercise for {to}, but there are {len(exercises)}; give --exercise.")
    if to == "gradescope":
        _gradescope(out, exercises[0], seed, hidden=hidden, language=language, isolation=isolation, pip=pip)
    else:
        _classroom(out, exercises[0], language, pip)


_TABLES = ("canvas", "moodle", "otter")


def _table(to: str, out: Path, source: Path | None, exercises: list[Exercise], roster: Path | None, column: str) -> int:
    """Write a table of grades; 1 when somebody is not in the roster."""
    from autograder.exports import grades, lms, otter  # noqa: PLC0415
    from autograder.report import write_atomically  # noqa: PLC0415

    if source is None:
        raise PtqlabError("Expected the grades: give the --out folder of `ptqlab grade`, or an nbgrader course.")
    missing: list[str] = []
    if to == "otter":
        if len(exercises) != 1:
            raise PtqlabError("Expected one exercise, since otter's table is of one assignment; give --exercise.")
        text = otter.otter_csv(grades.read_reports(source), exercises[0])
    else:
        found = grades.read_grades(source, exercises)
        held = [e for e in exercises if any(grade.exercise == e.slug for grade in found)]
        people = lms.read_table(roster) if roster else None
        text, missing = (
            lms.canvas_csv(found, held, people) if to == "canvas" else lms.moodle_csv(found, held, people, column)
        )
    write_atomically(out, text)
    print(f"wrote {out}")
    if missing:
        print(f"Not in the roster, and so not in the table: {', '.join(missing)}.", file=sys.stderr)
    return 1 if missing else 0


def _gradescope(out: Path, exercise: Exercise, seed: int | None, **options: str) -> None:
    from autograder.exports.gradescope import autograder_zip  # noqa: PLC0415

    drawn = secrets.randbelow(2**31) if seed is None else seed
    data = autograder_zip(exercise, drawn, **options)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    print(f"wrote {out}; its seed is {drawn}. It holds the hidden tests: for Gradescope only, never for students.")


def _classroom(out: Path, exercise: Exercise, language: str, pip: str) -> None:
    from autograder.exports.classroom import starter_repository  # noqa: PLC0415

    for name, content in starter_repository(exercise, language, pip).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
        print(f"wrote {out / name}")


def start(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to work in; made where it is missing.")],
    exercise: Only = None,
    course: Course = None,
) -> None:
    """Unpack the exercises and their data into a folder of your own. Changes no file that is there."""
    from autograder.course.start import unpack  # noqa: PLC0415

    chosen = _chosen(exercise, course, None)
    written, kept = unpack(folder, chosen)
    print(f"wrote {len(written)} files to {folder}" + (f", left {len(kept)} as they were" if kept else ""))
    print(f"Next: jupyter lab {folder / 'exercises' / chosen[0].slug / (chosen[0].slug + '.ipynb')}")


def _chosen(only: list[str] | None, course: Path | None, solutions: Path | None) -> list[Exercise]:
    from autograder.course.catalog import find_exercises, pick_exercise  # noqa: PLC0415

    exercises = find_exercises(course, solutions)
    return [pick_exercise(exercises, key) for key in only] if only else list(exercises)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PtqlabError(f"Expected {option} to be one of {', '.join(allowed)}, but it is {value!r}.")
