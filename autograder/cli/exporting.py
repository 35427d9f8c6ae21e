"""Commands for other platforms: `ptqlab export` and `ptqlab nbgrader init`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.course import chosen, read_course
from autograder.cli.messages import complain
from autograder.cli.options import (
    CourseOption,
    ExercisesOption,
    Isolation,
    IsolationOption,
    Language,
    LanguageOption,
    Platform,
    SeedOption,
    SolutionsOption,
    Visibility,
    epilog,
)
from autograder.records import Exercise, PtqlabError

commands = typer.Typer()
nbgrader_commands = typer.Typer(help="Use nbgrader.", no_args_is_help=True)
_PANEL = "Use other platforms"
commands.add_typer(nbgrader_commands, name="nbgrader", rich_help_panel=_PANEL)


@nbgrader_commands.callback()
def _nbgrader() -> None:
    """Make `init` a subcommand, although it is the only one."""


@nbgrader_commands.command(
    epilog=epilog(
        "ptqlab nbgrader init ~/ptq101",
        "ptqlab nbgrader init ~/ptq101 --exercise 01 --language zh-TW",
        codes={0: "the folder is complete"},
    )
)
def init(
    nbgrader_folder: Annotated[Path, typer.Argument(help="Folder in which to run nbgrader; made if missing.")],
    exercise: ExercisesOption = None,
    language: LanguageOption = Language.EN,
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Make an nbgrader folder with an assignment for each exercise, graded by ptqlab.

    Changes no existing file.
    """
    from autograder.exports.nbgrader import init_folder  # noqa: PLC0415

    exercises = chosen(read_course(course, solutions), exercise)
    written, kept = init_folder(nbgrader_folder, exercises, language.value)
    for path in written:
        print(f"wrote {path.relative_to(nbgrader_folder)}")
    for path in kept:
        print(f"left {path.relative_to(nbgrader_folder)} as it was")
    print(f"Next, in {nbgrader_folder}: nbgrader generate_assignment {exercises[0].slug}")


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog(
        "ptqlab export grades/ --to canvas --roster canvas-export.csv --out canvas.csv",
        "ptqlab export --to gradescope --exercise 01 --out autograder.zip",
        codes={0: "the file was written", 1: "at least one student could not be matched with the roster"},
    ),
)
def export(
    to: Annotated[Platform, typer.Option("--to", help="Platform to export to.")],
    out: Annotated[Path, typer.Option(help="File to write; for github-classroom a folder.")],
    grades: Annotated[
        Path | None,
        typer.Argument(help="For tables of grades: the --out folder of `ptqlab grade`, or the nbgrader folder."),
    ] = None,
    exercise: ExercisesOption = None,
    roster: Annotated[
        Path | None, typer.Option(help="Canvas's gradebook export or Moodle's grading worksheet, a CSV.")
    ] = None,
    column: Annotated[
        str, typer.Option(help="Moodle without a roster: user field that holds students' names.")
    ] = "Username",
    seed: SeedOption = None,
    hidden: Annotated[
        Visibility, typer.Option(help="Gradescope: when students see the results of hidden tests.")
    ] = Visibility.AFTER_PUBLISHED,
    language: LanguageOption = Language.EN,
    isolation: IsolationOption = Isolation.AUTO,
    pip: Annotated[
        str, typer.Option(help="Gradescope, GitHub Classroom: more arguments for pip, such as a package index.")
    ] = "",
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Write grades for a platform (canvas, moodle, otter), or an exercise (gradescope, github-classroom).

    Tables of grades take --roster and --column.
    Gradescope takes --seed, --hidden and --isolation.
    Gradescope and GitHub Classroom take --language and --pip.
    """
    exercises = chosen(read_course(course, solutions), exercise)
    if to is Platform.GRADESCOPE:
        _gradescope(
            out,
            _only(exercises, to),
            seed,
            hidden=hidden.value,
            language=language.value,
            isolation=isolation.value,
            pip=pip,
        )
    elif to is Platform.GITHUB_CLASSROOM:
        _classroom(out, _only(exercises, to), language.value, pip)
    else:
        raise typer.Exit(0 if _table(to, out, grades, exercises, roster, column) else 1)


def _only(exercises: Sequence[Exercise], to: Platform) -> Exercise:
    if len(exercises) != 1:
        raise PtqlabError(f"Expected one exercise for {to}, but there are {len(exercises)}; give --exercise.")
    return exercises[0]


def _table(
    to: Platform, out: Path, source: Path | None, exercises: Sequence[Exercise], roster: Path | None, column: str
) -> bool:
    """Write a table of grades, and say who is left out and who gets 0; return whether everybody was found."""
    from autograder.exports import grades, lms, otter, tables  # noqa: PLC0415
    from autograder.report.atomic import write_atomically  # noqa: PLC0415

    if source is None:
        raise PtqlabError("Expected the grades: give the --out folder of `ptqlab grade`, or the nbgrader folder.")
    if to is Platform.OTTER:
        table = lms.Export(otter.otter_csv(grades.read_reports(source), _only(exercises, to)))
        rows = grades.read_grades(source, exercises)
    else:
        rows = grades.read_grades(source, exercises)
        graded = [exercise for exercise in exercises if any(row.exercise == exercise.slug for row in rows)]
        people, note = tables.read_table(roster) if roster else (None, "")
        if note:
            complain(note)
        table = (
            lms.canvas_csv(rows, graded, people)
            if to is Platform.CANVAS
            else lms.moodle_csv(rows, graded, people, column)
        )
    write_atomically(out, table.text)
    print(f"wrote {out}")
    for sentence in grades.summary(rows, table.left_out, table.without_grade):
        complain(sentence)
    return not table.left_out


def _gradescope(out: Path, exercise: Exercise, seed: int | None, **options: str) -> None:
    from autograder.exports.gradescope import autograder_zip  # noqa: PLC0415

    assignment_seed = secrets.randbelow(2**31) if seed is None else seed
    data = autograder_zip(exercise, assignment_seed, **options)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    print(f"wrote {out}; its seed is {assignment_seed}. It holds the hidden tests: give it to Gradescope only.")


def _classroom(out: Path, exercise: Exercise, language: str, pip: str) -> None:
    from autograder.exports.classroom import starter_repository  # noqa: PLC0415

    for name, content in starter_repository(exercise, language, pip).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
        print(f"wrote {out / name}")
