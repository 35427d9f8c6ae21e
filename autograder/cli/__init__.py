"""The command line. Every mistake a user can make ends in one sentence on stderr and exit code 2."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from autograder.cli.exporting import register
from autograder.records import Exercise, PtqlabError, Report, Settings

if TYPE_CHECKING:
    from autograder.grading.code_fingerprint import Code

app = typer.Typer(
    help="Lab 3.1 Post-Training Quantization: exercises, and a grader that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Course = Annotated[Path | None, typer.Option(help="The folder that holds exercises/ (found by itself in a clone).")]
Solutions = Annotated[Path | None, typer.Option(help="The folder of solutions, where it is not beside exercises/.")]


def main() -> None:
    """The `ptqlab` command."""
    try:
        app(standalone_mode=True)
    except PtqlabError as error:
        _complain(str(error))
        raise SystemExit(2) from None
    except OSError as error:
        if error.filename is None:
            raise
        why = error.strerror or type(error).__name__
        _complain(
            f"Expected to read or write {error.filename}, but: {why}; check the path, its permissions and the disk."
        )
        raise SystemExit(2) from None


def _complain(sentence: str) -> None:
    """A sentence on stderr; a file's name in it may hold what a terminal obeys, or what turns text around."""
    from autograder.report.text import visible  # noqa: PLC0415

    print(f"ptqlab: {visible(sentence)}", file=sys.stderr)


@app.command()
def grade(
    submissions: Annotated[Path, typer.Argument(help="A notebook or module, or a class's folder or archive.")],
    out: Annotated[Path, typer.Option(help="Where reports and scores.csv go.")],
    exercise: Annotated[str | None, typer.Option(help="One exercise: its slug or number.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Submissions at a time; else one a core, if memory allows.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Grade on a Dask cluster: the address of its scheduler.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The assignment's seed; else drawn once and kept in --out.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    isolation: Annotated[str, typer.Option(help="auto, or none to run student code without a jail.")] = "auto",
    language: Annotated[str, typer.Option(help="Of the students' pages: en or zh-TW.")] = "en",
    regrade: Annotated[bool, typer.Option(help="Grade again what has been graded already.")] = False,
    every_test: Annotated[
        bool,
        typer.Option(
            "--every-test",
            help="Run each test for each student, also where the same "
            "answers have been judged before; the scores are the same.",
        ),
    ] = False,
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Grade a class, or one file. Exit code 1 when a score had to be withheld."""
    from autograder.grading.archives import opened  # noqa: PLC0415
    from autograder.grading.intake import find_submissions  # noqa: PLC0415

    _need_linux()
    _one_of("--device", device, ("auto", "cpu", "cuda"))
    _one_of("--isolation", isolation, ("auto", "none"))
    _one_of("--language", language, ("en", "zh-TW"))
    exercises = _exercises(course, solutions)
    _need_solutions(exercises)
    with opened(submissions) as view:
        found = view.explain(find_submissions(view.root, exercises, exercise))
        for note in view.notes:
            _complain(note)

        # torch is imported from here on: a mistake in the arguments is answered before that
        from autograder.grading.assignment import assignment_seed  # noqa: PLC0415
        from autograder.grading.batch import grade_class  # noqa: PLC0415
        from autograder.grading.class_report import Gathered, write_class_report  # noqa: PLC0415
        from autograder.grading.outline import outline  # noqa: PLC0415
        from autograder.pool.executor import default_jobs  # noqa: PLC0415
        from autograder.report import ClassProgress, print_scoreboard  # noqa: PLC0415

        settings = Settings(assignment_seed(out, seed, language), device, isolation, language, every_test)
        console, gathered = Console(), Gathered()

        def on_report(report: Report, code: Code | None) -> None:
            progress.finished(report)
            gathered.add(report, code)

        with _cluster(scheduler, device) as pool, ClassProgress(len(found), console) as progress:
            reports = grade_class(
                found,
                exercises,
                settings,
                out,
                root=view.root,
                jobs=jobs or default_jobs(device),
                pool=pool,
                elsewhere=pool is not None,
                regrade=regrade,
                keep=outline,
                on_report=on_report,
            )
        with console.status("Making the class report"):
            write_class_report(out, exercises, found, language, gathered)
    print_scoreboard(reports, console)
    console.print(f"Reports, scores.csv and class.html are in {out}", highlight=False, soft_wrap=True)
    raise typer.Exit(1 if any(report.earned is None for report in reports) else 0)


def _cluster(address: str | None, device: str) -> AbstractContextManager[Executor | None]:
    if address is None:
        return nullcontext()
    from autograder.pool.cluster import Cluster  # noqa: PLC0415

    return Cluster(address, device)


@app.command()
def check(
    notebook: Annotated[
        Path | None, typer.Argument(help="Your notebook or module; else the one in this folder.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="One task, for example 1.1.")] = None,
    course: Course = None,
) -> None:
    """Run the public tests on your own work, in this process."""
    from autograder.course.catalog import find_exercises, load_exercise, pick_exercise  # noqa: PLC0415
    from autograder.lab.checking import check_namespace  # noqa: PLC0415
    from autograder.report import print_lines  # noqa: PLC0415
    from autograder.testing.own_work import load_file, own_file  # noqa: PLC0415

    if notebook is None:
        exercise = load_exercise(Path.cwd())
        notebook = own_file(Path.cwd(), exercise.slug)
    elif (notebook.parent / "exercise.toml").is_file():
        exercise = load_exercise(notebook.parent.resolve())
    else:
        exercise = pick_exercise(find_exercises(course), notebook.name.split(".")[0])
    namespace, _, notes = load_file(notebook, exercise)
    result = check_namespace(exercise, namespace, task, notes)
    print_lines(str(result).splitlines(), Console())
    raise typer.Exit(0 if result.passed else 1)


@app.command()
def build(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when a notebook is stale.")] = False,
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Write the notebooks from the sources."""
    from autograder.course import notebooks  # noqa: PLC0415

    exercises, folder = _folders(course, solutions)
    written = notebooks.build(exercises, folder, check=check)
    for path in written:
        print(f"wrote {path.relative_to(exercises.parent)}")
    if not written:
        print("Every notebook is up to date.")


@app.command()
def release(
    out: Annotated[
        Path, typer.Option(help="The zip to write; or, for `ptqlab start`, ptqlab-VERSION-py3-none-any.whl.")
    ],
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Make what students get, a zip or a wheel: exercises, data, and the kit to check with; nothing from solutions/."""
    from autograder.course import release  # noqa: PLC0415

    exercises, folder = _folders(course, solutions)
    release.release(out, exercises, folder)
    print(f"wrote {out}")


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="For example 06_pruning.")],
    title: Annotated[str, typer.Option(help="The exercise's title.")] = "",
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Scaffold an exercise in both folders."""
    from autograder.course import release  # noqa: PLC0415

    exercises, folder = _folders(course, solutions)
    for path in release.new(slug, title or slug, exercises, folder):
        print(f"wrote {path.relative_to(exercises.parent)}")


@app.command()
def rescore(
    out: Annotated[Path, typer.Argument(help="A folder of reports that `ptqlab grade` wrote.")],
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Apply changed points to stored outcomes; no test is run again."""
    from autograder.grading.class_report import write_class_report  # noqa: PLC0415
    from autograder.grading.rescoring import rescore_folder  # noqa: PLC0415
    from autograder.report import print_scoreboard  # noqa: PLC0415

    exercises = _exercises(course, solutions)
    reports = rescore_folder(out, exercises)
    if not reports:
        raise PtqlabError(f"Expected reports below {out}, but there are none; give the --out folder of `ptqlab grade`.")
    write_class_report(out, exercises)
    print_scoreboard(reports, Console())
    raise typer.Exit(1 if any(report.earned is None for report in reports) else 0)


@app.command()
def report(
    out: Annotated[Path, typer.Argument(help="A folder of reports that `ptqlab grade` wrote.")],
    submissions: Annotated[
        Path | None, typer.Option(help="The class's folder or archive, to compare code that was not compared yet.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en or zh-TW; else the one that the class was graded in.")
    ] = None,
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Make the class's page, class.html, again from stored reports; no test is run."""
    from autograder.grading.archives import opened  # noqa: PLC0415
    from autograder.grading.class_report import write_class_report  # noqa: PLC0415
    from autograder.grading.intake import find_submissions  # noqa: PLC0415

    if language is not None:
        _one_of("--language", language, ("en", "zh-TW"))
    exercises = _exercises(course, solutions)
    if submissions is None:
        page = write_class_report(out, exercises, language=language)
    else:
        with opened(submissions) as view:
            found = view.explain(find_submissions(view.root, exercises))
            page = write_class_report(out, exercises, found, language)
    print(f"wrote {page}")


@app.command()
def verify(
    slug: Annotated[str | None, typer.Argument(help="One exercise; else all.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to try.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Answers graded at a time.")] = 1,
    table: Annotated[
        Path | None, typer.Option(help="Write the mutants and variants as a Markdown table, and run nothing.")
    ] = None,
    course: Course = None,
    solutions: Solutions = None,
) -> None:
    """Dry-run the grader: the reference gets everything, the stub nothing, mutants lose, variants don't."""
    from autograder.course.catalog import pick_exercise  # noqa: PLC0415
    from autograder.grading import verify as proof  # noqa: PLC0415

    exercises = _exercises(course, solutions)
    chosen = [pick_exercise(exercises, slug)] if slug else list(exercises)
    if table is not None:
        table.write_text(proof.document(chosen), encoding="utf-8")
        return
    _need_linux()
    wrong = sum(proof.run(exercise, seeds, Console(), jobs) for exercise in chosen)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def doctor() -> None:
    """Say what this machine offers: isolation, devices, instruction sets, runtimes."""
    from autograder import doctor as examination  # noqa: PLC0415

    Console().print(examination.render(examination.examine()))


register(app)


def _exercises(course: Path | None, solutions: Path | None) -> tuple[Exercise, ...]:
    from autograder.course.catalog import find_exercises  # noqa: PLC0415

    found = find_exercises(course, solutions)
    if course is not None:  # its datasets are meant, too, in each process that grades
        os.environ["PTQLAB_COURSE"] = str(found[0].folder.parent.parent)
    return found


def _folders(course: Path | None, solutions: Path | None) -> tuple[Path, Path]:
    exercises = _exercises(course, solutions)[0].folder.parent
    return exercises, solutions or exercises.parent / "solutions"


def _need_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise PtqlabError(
            "Grading needs Linux, whose kernel jails the students' code; checking (`ptqlab check`) works here."
        )


def _need_solutions(exercises: tuple[Exercise, ...]) -> None:
    if all(exercise.solution is None for exercise in exercises):
        raise PtqlabError(
            "Expected the folder solutions/ with the hidden tests beside exercises/; it is not there. "
            "Grade in an instructor's clone, or give --solutions."
        )


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PtqlabError(f"Expected {option} to be one of {', '.join(allowed)}, but it is {value!r}.")


if __name__ == "__main__":
    main()
