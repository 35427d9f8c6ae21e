"""Commands for grading: grade, rescore, report, verify, doctor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from autograder.cli.course import chosen, need_solutions, read_course, share_course
from autograder.cli.messages import complain
from autograder.cli.options import (
    CourseOption,
    Device,
    ExerciseOption,
    ExercisesOption,
    Isolation,
    IsolationOption,
    Language,
    LanguageOption,
    NamesIn,
    SeedOption,
    SolutionsOption,
    epilog,
)
from autograder.records import Exercise, PtqlabError, Report, Settings

if TYPE_CHECKING:
    from autograder.grading.code_fingerprint import Code
    from autograder.grading.found import Found

# Modules of autograder.grading are imported by the commands that use them: they need Linux, and a second to import.

commands = typer.Typer()
_PANEL = "Grade"
_WITHHELD = {0: "every submission has a score", 1: "at least one score was withheld, or a file is nobody's"}

Grades = Annotated[Path, typer.Argument(help="The --out folder of `ptqlab grade`.")]


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog(
        "ptqlab grade submitted/ --out grades/",
        "ptqlab grade moodle.zip --out grades/ --exercise 01 --jobs 8",
        codes=_WITHHELD,
    ),
)
def grade(
    submissions: Annotated[Path, typer.Argument(help="A notebook or module, or a class's folder or archive.")],
    out: Annotated[Path, typer.Option(help="Folder for reports, scores.csv and class.html.")],
    exercise: ExerciseOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Submissions graded in parallel.", show_default="one per core, memory permitting"),
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler whose cluster grades.")] = None,
    seed: SeedOption = None,
    device: Annotated[Device, typer.Option(help="Device on which student code is tested.")] = Device.AUTO,
    isolation: IsolationOption = Isolation.AUTO,
    language: LanguageOption = Language.EN,
    regrade: Annotated[bool, typer.Option("--regrade", help="Grade again what has a report already.")] = False,
    every_test: Annotated[
        bool,
        typer.Option(
            "--every-test", help="Run every test for every student instead of reusing results of identical answers."
        ),
    ] = False,
    names_in: Annotated[
        NamesIn | None,
        typer.Option(help="Encoding of names in zips that do not say it.", show_default="the first that fits all"),
    ] = None,
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Grade a class, or one submission.

    Writes a JSON report and an HTML page for each submission, scores.csv and class.html.
    """
    _need_linux()
    from autograder.grading.archives import opened  # noqa: PLC0415
    from autograder.grading.assignment import assignment_seed  # noqa: PLC0415
    from autograder.grading.intake import find_submissions, write_intake  # noqa: PLC0415
    from autograder.report.terminal import print_scoreboard  # noqa: PLC0415

    exercises = read_course(course, solutions)
    share_course(course, exercises)
    need_solutions(exercises)
    console = Console()
    with opened(submissions, names_in.value if names_in else "") as unpacked:
        intake = find_submissions(unpacked.root, exercises, exercise, unpacked.refused)
        for sentence in (*unpacked.notes, *(f"{fate.path}: {fate.why}" for fate in intake.undecided if not fate.owner)):
            complain(sentence)
        assignment = assignment_seed(out, seed, language.value)
        write_intake(out, intake, unpacked.notes)
        settings = Settings(assignment, device.value, isolation.value, language.value, every_test)
        with _cluster(scheduler, device) as pool:
            reports = _grade_class(
                intake.rows,
                exercises,
                settings,
                out,
                console,
                root=unpacked.root,
                jobs=jobs,
                pool=pool,
                regrade=regrade,
            )
    print_scoreboard(reports, console)
    console.print(intake.summary, highlight=False, soft_wrap=True)
    console.print(f"Reports, scores.csv and class.html are in {out}", highlight=False, soft_wrap=True)
    raise typer.Exit(1 if intake.undecided else _exit_code(reports))


def _grade_class(
    submitted: Sequence[Found],
    exercises: Sequence[Exercise],
    settings: Settings,
    out: Path,
    console: Console,
    *,
    root: Path,
    jobs: int | None,
    pool: Executor | None,
    regrade: bool,
) -> list[Report]:
    """Grade every submission, show the progress, and write the class report."""
    from autograder.grading.batch import grade_class  # noqa: PLC0415
    from autograder.grading.class_report import Gathered, write_class_report  # noqa: PLC0415
    from autograder.grading.outline import outline  # noqa: PLC0415
    from autograder.pool.executor import default_jobs  # noqa: PLC0415
    from autograder.report.terminal import ClassProgress  # noqa: PLC0415

    gathered = Gathered()

    def on_report(report: Report, code: Code | None) -> None:
        progress.finished(report)
        gathered.add(report, code)

    with ClassProgress(len(submitted), console) as progress:
        reports = grade_class(
            submitted,
            exercises,
            settings,
            out,
            root=root,
            jobs=jobs or default_jobs(settings.device),
            pool=pool,
            elsewhere=pool is not None,
            regrade=regrade,
            keep=outline,
            on_report=on_report,
        )
    with console.status("Making the class report"):
        write_class_report(out, exercises, submitted, settings.language, gathered)
    return reports


@commands.command(rich_help_panel=_PANEL, epilog=epilog("ptqlab rescore grades/", codes=_WITHHELD))
def rescore(grades: Grades, course: CourseOption = None, solutions: SolutionsOption = None) -> None:
    """Apply changed points to stored test outcomes, without running a test."""
    from autograder.grading.class_report import write_class_report  # noqa: PLC0415
    from autograder.grading.rescoring import rescore_folder  # noqa: PLC0415
    from autograder.report.terminal import print_scoreboard  # noqa: PLC0415

    exercises = read_course(course, solutions)
    reports = rescore_folder(grades, exercises)
    if not reports:
        raise PtqlabError(
            f"Expected reports below {grades}, but there are none; give the --out folder of `ptqlab grade`."
        )
    write_class_report(grades, exercises)
    print_scoreboard(reports, Console())
    raise typer.Exit(_exit_code(reports))


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog("ptqlab report grades/ --submissions submitted/", codes={0: "class.html was written"}),
)
def report(
    grades: Grades,
    submissions: Annotated[
        Path | None, typer.Option(help="The class's folder or archive, to compare code that was not compared yet.")
    ] = None,
    language: Annotated[
        Language | None, typer.Option(help="Language of the page.", show_default="the one the class was graded in")
    ] = None,
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Make the class's page, class.html, again from stored reports, without running a test."""
    from autograder.grading.archives import opened  # noqa: PLC0415
    from autograder.grading.class_report import write_class_report  # noqa: PLC0415
    from autograder.grading.intake import find_submissions  # noqa: PLC0415

    page_language = language.value if language else None
    exercises = read_course(course, solutions)
    if submissions is None:
        page = write_class_report(grades, exercises, language=page_language)
    else:
        with opened(submissions) as unpacked:
            intake = find_submissions(unpacked.root, exercises, refused=unpacked.refused)
            page = write_class_report(grades, exercises, intake.rows, page_language)
    print(f"wrote {page}")


@commands.command(
    rich_help_panel=_PANEL,
    epilog=epilog(
        "ptqlab verify --exercise 01 --jobs 2",
        "ptqlab verify --table docs/mutants.md",
        codes={0: "every answer was graded as it must be", 1: "at least one answer was not"},
    ),
)
def verify(
    exercise: ExercisesOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds to grade under.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Answers graded in parallel.")] = 1,
    table: Annotated[
        Path | None, typer.Option(help="Write the mutants and variants as a Markdown table here, and grade nothing.")
    ] = None,
    course: CourseOption = None,
    solutions: SolutionsOption = None,
) -> None:
    """Grade answers whose grade is known.

    The reference must get all points, the stub none.
    Each mutant must lose the items that it names, in the public tests too, each variant nothing.
    Every item needs a public test, a hidden one and two wrong answers.
    """
    _need_linux()
    from autograder.grading import known_answers  # noqa: PLC0415
    from autograder.grading import verify as verification  # noqa: PLC0415

    exercises = read_course(course, solutions)
    share_course(course, exercises)
    need_solutions(exercises)
    selected = chosen(exercises, exercise)
    if table is not None:
        table.write_text(known_answers.document(selected), encoding="utf-8")
        return
    wrong = sum(verification.run(each, seeds, Console(), jobs) for each in selected)
    raise typer.Exit(1 if wrong else 0)


@commands.command(rich_help_panel=_PANEL, epilog=epilog("ptqlab doctor", codes={0: "the findings were printed"}))
def doctor() -> None:
    """Examine this machine: isolation, devices, instruction sets, runtimes."""
    from autograder.doctor.examination import examine  # noqa: PLC0415
    from autograder.doctor.findings import findings  # noqa: PLC0415
    from autograder.doctor.text import render  # noqa: PLC0415

    Console().print(render(findings(examine())))


def _need_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise PtqlabError(
            "Grading needs Linux, whose kernel jails the students' code; checking (`ptqlab check`) works here."
        )


def _exit_code(reports: list[Report]) -> int:
    return 1 if any(report.earned is None for report in reports) else 0


def _cluster(address: str | None, device: Device) -> AbstractContextManager[Executor | None]:
    if address is None:
        return nullcontext()
    from autograder.pool.cluster import Cluster  # noqa: PLC0415

    return Cluster(address, device.value)
