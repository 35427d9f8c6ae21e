"""What several commands share: choices, options, and the examples and exit codes below a command's help."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Language(StrEnum):
    """A language in which notebooks and reports are written."""

    EN = "en"
    ZH_TW = "zh-TW"


class NamesIn(StrEnum):
    """An encoding of names in zip archives."""

    UTF_8 = "utf-8"
    CP950 = "cp950"
    CP932 = "cp932"
    GBK = "gbk"
    CP949 = "cp949"
    CP437 = "cp437"


class Device(StrEnum):
    """A device on which student code is tested."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Isolation(StrEnum):
    """How student code is kept apart from the machine."""

    AUTO = "auto"
    NONE = "none"


class Platform(StrEnum):
    """A platform to export to."""

    CANVAS = "canvas"
    MOODLE = "moodle"
    OTTER = "otter"
    GRADESCOPE = "gradescope"
    GITHUB_CLASSROOM = "github-classroom"


class Visibility(StrEnum):
    """When Gradescope shows a test to students."""

    VISIBLE = "visible"
    AFTER_DUE_DATE = "after_due_date"
    AFTER_PUBLISHED = "after_published"
    HIDDEN = "hidden"


_EXERCISE = "slug, number or one of its task ids (01_basic_quantization, 01 or 1.1)"

CourseOption = Annotated[
    Path | None,
    typer.Option(
        "--course",
        help="Folder that holds exercises/.",
        show_default="PTQLAB_COURSE, else the working folder or one above it, else the installed package",
    ),
]
SolutionsOption = Annotated[
    Path | None,
    typer.Option("--solutions", help="Folder of the hidden tests.", show_default="solutions/ beside exercises/"),
]
ExerciseOption = Annotated[str | None, typer.Option("--exercise", "-e", help=f"Exercise: {_EXERCISE}.")]
ExercisesOption = Annotated[
    list[str] | None,
    typer.Option("--exercise", "-e", help=f"Exercise: {_EXERCISE}. May be repeated.", show_default="all"),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", help="Seed of the assignment's test inputs.", show_default="drawn once, and kept with the output"
    ),
]
LanguageOption = Annotated[Language, typer.Option("--language", help="Language of what students read.")]
IsolationOption = Annotated[
    Isolation,
    typer.Option("--isolation", help="How student code is isolated; none runs it without a jail."),
]

UNUSABLE = "unusable arguments or files; one sentence says why"


def epilog(*examples: str, codes: Mapping[int, str]) -> str:
    """The end of a command's help: examples, and the meaning of each exit code."""
    code_lines = [f"  {code}  {meaning}" for code, meaning in {**codes, 2: UNUSABLE}.items()]
    example_lines = [f"  {example}" for example in examples]
    return "\n".join(["[bold]Examples[/bold]", *example_lines, "", "[bold]Exit codes[/bold]", *code_lines])
