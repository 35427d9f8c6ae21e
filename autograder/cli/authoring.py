"""Commands for authors of exercises: build, new, release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.course import folders_to_read, folders_to_write, need_solutions_folder
from autograder.cli.options import CourseOption, SolutionsOption, epilog

commands = typer.Typer()
_PANEL = "Write exercises"


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog(
        "ptqlab build",
        "ptqlab build --check",
        codes={0: "every notebook is up to date"},
    ),
)
def build(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a notebook is out of date.")] = False,
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Write the notebooks from solutions/*/source.py."""
    from autograder.course.notebooks import build as build_notebooks  # noqa: PLC0415

    folders = folders_to_read(course, solutions) if check else folders_to_write(course, solutions)
    need_solutions_folder(folders)
    written = build_notebooks(folders.exercises, folders.solutions, check=check)
    for path in written:
        print(f"wrote {path.relative_to(folders.exercises.parent)}")
    if not written:
        print("Every notebook is up to date.")


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog('ptqlab new 06_pruning --title "Pruning"', codes={0: "both folders were made"}),
)
def new(
    slug: Annotated[str, typer.Argument(help="Name of the exercise, such as 06_pruning.")],
    title: Annotated[str, typer.Option(help="Title of the exercise.", show_default="the slug")] = "",
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Make the two folders of a new exercise."""
    from autograder.course.release import new as make_exercise  # noqa: PLC0415

    folders = folders_to_write(course, solutions)
    for path in make_exercise(slug, title or slug, folders.exercises, folders.solutions):
        print(f"wrote {path.relative_to(folders.exercises.parent)}")


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog(
        "ptqlab release --out lab.zip",
        "ptqlab release --out ptqlab-0.1.0-py3-none-any.whl",
        codes={0: "the file was written"},
    ),
)
def release(
    out: Annotated[Path, typer.Option(help="The zip to write, or ptqlab-VERSION-py3-none-any.whl for `ptqlab start`.")],
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Make the file for students: exercises, data and the kit, nothing from solutions/."""
    from autograder.course.release import release as write_release  # noqa: PLC0415

    folders = folders_to_read(course, solutions)
    need_solutions_folder(folders)
    write_release(out, folders.exercises, folders.solutions)
    print(f"wrote {out}")
