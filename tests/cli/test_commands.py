"""The command line: every mistake ends in one sentence, every command says where it works, and writes only there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from support.tiny_course import SLUG

from autograder.cli import grading, main
from autograder.cli.app import app
from autograder.cli.course import chosen
from autograder.course.catalog import LANGUAGES, find_exercises
from autograder.exports.gradescope import VISIBILITIES

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `ptqlab` in this process; its exit code, stdout and stderr."""

    def ptqlab(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ptqlab", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        return stopped.value.code or 0, shown.out, shown.err  # type: ignore[return-value]

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PTQLAB_COURSE", "")  # so that it is put back: commands set it for the processes they start
    return ptqlab


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that no course lies around."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def course_copy(tiny: Path, tmp_path: Path) -> Path:
    """A course that a test may change."""
    return Path(shutil.copytree(tiny, tmp_path / "course"))


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("grade x --out y --device tpu", "'--device': 'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        ("grade x --out y --isolation some", "'--isolation': 'some' is not one of 'auto', 'none'"),
        ("grade x --out y --language de", "'--language': 'de' is not one of 'en', 'zh-TW'"),
        ("report x --language de", "'--language': 'de' is not one of"),
        ("nbgrader init x --language de", "'--language': 'de' is not one of"),
        ("export --out x --to blackboard", "'--to': 'blackboard' is not one of 'canvas', 'moodle', 'otter',"),
        ("export --out x --to gradescope --hidden never", "'--hidden': 'never' is not one of 'visible',"),
        ("grade x --out y --jobs 0", "'--jobs'"),
        ("grade x --out y --seed 1.5", "'--seed'"),
        ("grade", "Missing argument 'submissions'"),
        ("export --out x", "Missing option '--to'. Choose from: canvas, moodle,"),
        ("verify 01", "unexpected extra argument"),
        ("grade x --out y --nope", "No such option: --nope"),
        ("grad", "No such command 'grad'"),
    ],
)
def test_a_wrong_argument_is_one_sentence_that_names_the_help(run: Run, arguments: str, words: str) -> None:
    code, out, err = run(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("ptqlab: ")
    assert err.count("\n") == 1
    assert words in err
    assert re.search(r"[Ss]ee `ptqlab( \w+)* --help`\.\n$", err)


def test_a_mistake_of_another_room_is_one_sentence_below_the_course(run: Run, tiny: Path, elsewhere: Path) -> None:
    code, out, err = run("grade", "nowhere", "--out", "grades", "--course", tiny)
    course, sentence = err.splitlines()
    assert (code, out, course) == (2, "", f"course: {tiny}")
    assert sentence.startswith("ptqlab: Expected ")
    assert "nowhere does not exist" in sentence
    assert not (elsewhere / "grades").exists()


def test_a_name_with_a_line_break_cannot_forge_a_line(run: Run, elsewhere: Path) -> None:
    err = run("grade", "x", "--out", "y", "--course", "a\nptqlab: all is well")[2]
    assert len(err.splitlines()) == 1


def test_check_outside_of_an_exercise_says_where_to_go(run: Run, elsewhere: Path) -> None:
    code, _, err = run("check")
    assert code == 2
    assert f"ptqlab: Expected an exercise.toml in {elsewhere}" in err


def test_building_without_solutions_is_refused(run: Run, course_copy: Path) -> None:
    """It said that every notebook is up to date."""
    shutil.rmtree(course_copy / "solutions")
    for arguments in (["build"], ["build", "--check"], ["release", "--out", course_copy / "lab.zip"]):
        code, out, err = run(*arguments, "--course", course_copy)
        assert (code, out) == (2, "")
        assert f"hidden tests in {course_copy / 'solutions'}, but they are not there" in err


# --- help, version, completion ------------------------------------------------------------------------------------


def leaves(command: Any, path: str = "ptqlab") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by what one types."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, f"{path} {name}")


LEAVES = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("path", LEAVES)
def test_the_help_shows_an_example_and_the_exit_codes(run: Run, path: str) -> None:
    code, out, _ = run(*path.split()[1:], "--help")
    examples, exit_codes = (part.splitlines() for part in out.split("Examples")[1].split("Exit codes"))
    assert code == 0
    assert any(line.strip().startswith(path) for line in examples)
    assert [line.split()[0] for line in exit_codes if line.strip()][-1] == "2"


@pytest.mark.parametrize("path", LEAVES)
def test_the_examples_of_the_help_can_be_typed(path: str) -> None:
    examples = [line.strip() for line in LEAVES[path].epilog.splitlines() if line.strip().startswith("ptqlab")]
    for example in examples:
        words = shlex.split(example.removeprefix(path))
        LEAVES[path].make_context(path, words, resilient_parsing=False).close()


@pytest.mark.parametrize("path", LEAVES)
def test_an_exercise_is_named_by_the_same_option_everywhere(path: str) -> None:
    """No command takes one in another way; `new` takes the name of one that is not there yet."""
    named = [parameter for parameter in LEAVES[path].params if parameter.name in ("exercise", "slug")]
    if path == "ptqlab new":
        return
    assert [parameter.opts for parameter in named] in ([], [["--exercise", "-e"]])


def test_every_language_and_visibility_can_be_chosen() -> None:
    choices = {parameter.name: parameter.type_descriptor.choices for parameter in LEAVES["ptqlab export"].params}
    assert [str(choice) for choice in choices["language"]] == list(LANGUAGES)
    assert [str(choice) for choice in choices["hidden"]] == list(VISIBILITIES)


def test_the_version_is_told(run: Run) -> None:
    code, out, err = run("--version")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"ptqlab \d+\.\d+\.\d+\n", out)


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (2, "")
    assert "Grade a class, or one submission." in out


def test_a_shell_completes_commands_and_choices() -> None:
    def completed(words: str, place: int) -> list[str]:
        asked = {"_PTQLAB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        command = [str(Path(sys.executable).with_name("ptqlab"))]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | asked)
        return done.stdout.split()

    assert completed("ptqlab re", 1) == ["rescore", "report", "release"]
    assert completed("ptqlab grade --device c", 3) == ["cpu", "cuda"]


# --- the course ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--check"],
        ["release", "--out", "lab.zip"],
        ["start", "work"],
        ["nbgrader", "init", "ptq"],
        ["export", "--to", "github-classroom", "--out", "starter"],
        ["verify", "--table", "mutants.md"],
        ["check", "{tiny}/exercises/01_tiny/01_tiny.ipynb"],
        ["grade", "none", "--out", "grades"],
        ["rescore", "grades"],
        ["report", "grades"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_names_its_course_on_stderr(run: Run, tiny: Path, elsewhere: Path, arguments: list[str]) -> None:
    course = [] if arguments[0] == "check" else ["--course", tiny / "exercises"]
    _, out, err = run(*(argument.format(tiny=tiny) for argument in arguments), *course)
    assert err.splitlines()[0] == f"course: {tiny}"
    assert "course:" not in out


@pytest.mark.parametrize("arguments", [["new", "06_pruning"], ["build"]], ids=lambda arguments: arguments[0])
def test_a_command_that_writes_refuses_a_course_that_is_not_around(
    run: Run, course_copy: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Outside of a clone `new` wrote into another one, which the environment variable named."""
    (course_copy / "exercises" / SLUG / f"{SLUG}.ipynb").unlink()
    before = sorted(course_copy.rglob("*"))
    monkeypatch.setenv("PTQLAB_COURSE", str(course_copy))
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert f"{elsewhere} is not inside {course_copy}" in err
    assert f"give --course {course_copy}" in err
    assert sorted(course_copy.rglob("*")) == before


@pytest.mark.parametrize("place", ["", "exercises", f"solutions/{SLUG}"])
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_command_that_writes_takes_the_course_around(
    run: Run, course_copy: Path, monkeypatch: pytest.MonkeyPatch, place: str, by_variable: bool
) -> None:
    monkeypatch.chdir(course_copy / place)
    if by_variable:
        monkeypatch.setenv("PTQLAB_COURSE", str(course_copy))
    code, out, err = run("new", "06_pruning")
    assert (code, err) == (0, f"course: {course_copy}\n")
    assert "wrote exercises/06_pruning/exercise.toml" in out
    assert (course_copy / "solutions" / "06_pruning" / "source.py").is_file()


def test_a_command_that_writes_takes_the_course_it_is_given(run: Run, course_copy: Path, elsewhere: Path) -> None:
    notebook = course_copy / "exercises" / SLUG / f"{SLUG}.ipynb"
    notebook.unlink()
    code, out, err = run("build", "--course", course_copy)
    assert (code, out, err) == (0, f"wrote exercises/{SLUG}/{SLUG}.ipynb\n", f"course: {course_copy}\n")
    assert notebook.is_file()


def test_a_bad_slug_is_refused_by_name(run: Run, course_copy: Path) -> None:
    code, _, err = run("new", "Bad Slug!", "--course", course_copy)
    assert code == 2
    assert "'Bad Slug!'" in err


# --- exercises ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["01", "1", "1.2", SLUG])
def test_an_exercise_is_named_by_slug_number_or_task(run: Run, tiny: Path, elsewhere: Path, key: str) -> None:
    code, _, err = run("start", "work", "-e", key, "--course", tiny)
    assert (code, err) == (0, f"course: {tiny}\n")
    assert (elsewhere / "work" / "exercises" / SLUG).is_dir()


def test_an_exercise_named_twice_is_taken_once_and_in_the_courses_order(course_copy: Path, run: Run) -> None:
    run("new", "06_pruning", "--course", course_copy)
    exercises = find_exercises(course_copy)
    assert [exercise.slug for exercise in chosen(exercises, ["06", "1.1", "01_tiny"])] == [SLUG, "06_pruning"]
    assert chosen(exercises, None) == list(exercises)


def test_check_takes_a_file_of_any_name_when_told_the_exercise(run: Run, tiny: Path, elsewhere: Path) -> None:
    (elsewhere / "mine.py").write_text("def double(x):\n    return 2 * x\n", encoding="utf-8")
    assert run("check", "mine.py", "--course", tiny)[0] == 2
    code, out, _ = run("check", "mine.py", "-e", "01", "--task", "1.1", "--course", tiny)
    assert code == 0, out


# --- other systems ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["grade x --out y", "verify"])
def test_grading_says_that_it_needs_linux(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    monkeypatch.setattr(grading, "sys", SimpleNamespace(platform="darwin"))
    code, out, err = run(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("ptqlab: Grading needs Linux")


def test_the_commands_are_there_where_there_is_no_linux() -> None:
    """Students type `ptqlab check` on macOS and Windows; it must not import what only grading needs."""
    program = (
        "import os, sys\n"
        "for name in ('fork', 'geteuid', 'pidfd_open'): os.__dict__.pop(name, None)\n"
        "for name in ('resource', 'fcntl', 'pwd', 'pyseccomp', 'jupytext'): sys.modules[name] = None\n"
        "import autograder.cli.app, autograder.course.start, autograder.lab.checking\n"
        "print(sorted(name for name in sys.modules if name.startswith(('autograder.grading', 'autograder.sandbox'))))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
