"""What grading one lab 01 submission costs: ptqlab, nbgrader's autograde, otter run, a pytest process, and the floor.

    python -P tests/benchmarks/compare.py [--students 20] [--sample 6] [--rounds 3] [--out TABLE.md]

Every way gets the same code, tests, devices and inputs, in one run, in turns; each test's verdict must be the same.
CPU seconds are user and system time of all processes that a command starts, kernels and workers included.

The class is as mixed as the known answers allow: of every task half of the students hand in the reference's answer, a third
one of the other right answers, a sixth one of the wrong ones; and everybody's graded cells are their own text. ptqlab does
not run a test whose outcome is known from the same answers of another student, so `--every-test` is a row of its own.

nbgrader runs a notebook as it is handed in, with its plots and experiments (without the `check` cells, for which its
test cells stand), and so does otter, where it is installed. What it would take for the graded functions alone is a row
of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # -P keeps a script's own folder off the path

import cost
import nbformat
import nbgrader_course as course
from cost import Cost
from direct_tests import SEED, Verdicts
from otter_course import OTTER, OtterCourse
from support.mixed_answers import own_answers

from autograder.course.catalog import load_exercise
from autograder.course.sources import read_cells
from autograder.submission.reader import read_submission

ROOT = Path(__file__).resolve().parents[2]
SLUG = "01_basic_quantization"
SOLUTION = ROOT / "solutions" / SLUG
BIN = Path(sys.executable).parent
TITLES = {
    "ptqlab": "`ptqlab grade`, the class in one command",
    "ptqlab_every": "`ptqlab grade --every-test`, the class in one command",
    "nbgrader_each": "`nbgrader autograde`, a command a student",
    "nbgrader_class": "`nbgrader autograde`, the class in one command",
    "nbgrader_functions": "`nbgrader autograde`, a command a student, the graded functions alone",
    "otter_each": "`otter run`, a command a student",
    "otter_functions": "`otter run`, a command a student, the graded functions alone",
    "pytest": "a pytest process a student, no isolation",
    "warm_pytest": "pytest in one warm process, no isolation",
    "floor": "the floor: test functions called in one warm process, no isolation",
}


@dataclass
class Way:
    """One way to grade: the cost of a submission in each measurement, and the verdicts it gave."""

    costs: list[Cost] = field(default_factory=list)
    verdicts: dict[str, Verdicts] = field(default_factory=dict)
    submissions: int = 0

    def add(self, spent: Cost, verdicts: dict[str, Verdicts]) -> None:
        self.costs.append(spent / len(verdicts))
        self.verdicts |= verdicts
        self.submissions += len(verdicts)

    @property
    def cpu_s(self) -> float:
        return statistics.median(one.cpu_s for one in self.costs)

    @property
    def wall_s(self) -> float:
        return statistics.median(one.wall_s for one in self.costs)


class Bench:
    """A class of submissions, laid out in one folder for every way to grade it. The slow ways get the sample."""

    def __init__(self, folder: Path, students: int, sample: int, with_notebooks: bool = True) -> None:
        self.folder, self.settings = folder, course.environment(folder / "home", ROOT)
        self.exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
        self.students = [f"student{number:03}" for number in range(students)]
        self.sample = self.students[:sample]
        left_out = ("nbgrader", "otter") if not with_notebooks else () if OTTER.exists() else ("otter",)
        self.ways = {name: Way() for name in TITLES if not name.startswith(left_out)}
        reference = [cell.text for cell in read_cells(SOLUTION / "source.py") if cell.kind == "code"]
        answers = {student: own_answers(self.exercise, number) for number, student in enumerate(self.students)}
        for student in self.students:
            self._hand_in(student, [*reference, *answers[student]])
        if not with_notebooks:
            return
        functions = {student: [self._module(student).read_text()] for student in self.sample}
        self._course("nbgrader_functions", functions)
        cells = [text for text in reference if not text.startswith("check(")]
        notebooks = {student: [*cells, *answers[student]] for student in self.sample}
        for name in ("nbgrader_each", "nbgrader_class"):
            self._course(name, notebooks)
        self.otter = {
            name: self._otter_course(name, handed_in)
            for name, handed_in in (("otter_each", notebooks), ("otter_functions", functions))
            if name in self.ways
        }

    def _course(self, name: str, notebooks: dict[str, list[str]]) -> None:
        code_cells = min(map(len, notebooks.values()))
        course.build(self.folder / name, self.exercise, notebooks, code_cells, self.settings)

    def _otter_course(self, name: str, notebooks: dict[str, list[str]]) -> OtterCourse:
        made = OtterCourse(self.folder / name, self.exercise, self.settings)
        for student, cells in notebooks.items():
            made.hand_in(student, cells)
        return made

    def _hand_in(self, student: str, cells: list[str]) -> None:
        """Write the student's notebook, the folder in which pytest runs, and the module that the slice makes of it.

        The cells with graded functions are every student's own, so that nothing found out about another's is of use.
        """
        own_cells = [f"# by {student}\n{text}" if self._is_graded(text) else text for text in cells]
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in own_cells])
        own = self.folder / "pytest" / student / SLUG
        for folder in (own, self.folder / "handed_in", self.folder / "modules"):
            folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, own / f"{SLUG}.ipynb")
        tests = (self.exercise.folder / "test_public.py", SOLUTION / "test_hidden.py")
        for path in (self.exercise.folder / "exercise.toml", *tests):
            shutil.copy(path, own)
        shutil.copy(own / f"{SLUG}.ipynb", self.folder / "handed_in" / f"{student}.ipynb")
        source = read_submission(own / f"{SLUG}.ipynb", self.exercise, student).source
        self._module(student).write_text(source, encoding="utf-8")

    def _is_graded(self, cell: str) -> bool:
        return any(f"def {name}(" in cell or f"class {name}" in cell for name in self.exercise.functions)

    def _module(self, student: str) -> Path:
        return self.folder / "modules" / f"{student}.py"

    def ptqlab(self, name: str = "ptqlab", *more: str) -> None:
        """The whole class in one command, start-up included."""
        out = self.folder / "grades"
        shutil.rmtree(out, ignore_errors=True)
        command = [
            BIN / "ptqlab",
            "grade",
            self.folder / "handed_in",
            "--out",
            out,
            "--seed",
            SEED,
            "--exercise",
            SLUG,
            "--jobs",
            "1",
            *more,
        ]
        spent, _ = cost.run(command, self.folder, self.settings)
        reports = {student: json.loads((out / student / f"{SLUG}.json").read_text()) for student in self.students}
        self.ways[name].add(spent, {student: _passed(report) for student, report in reports.items()})

    def nbgrader(self, name: str, students: Sequence[str]) -> None:
        """A command a student."""
        root = self.folder / name
        for student in students:
            spent = course.autograde(root, self.settings, student)
            self.ways[name].add(spent, {student: course.verdicts(root, student)})
            self._check_score(student, course.score(root, student))

    def otter_run(self, name: str, students: Sequence[str]) -> None:
        """A command a student: otter has none for a class, but one that starts a container for each."""
        for student in students:
            spent, verdicts, score = self.otter[name].run(student)
            self.ways[name].add(spent, {student: verdicts})
            self._check_score(student, score)

    def _check_score(self, student: str, score: float) -> None:
        passed = all(self.ways["ptqlab"].verdicts[student].values())
        if (score == self.exercise.possible) != passed:
            raise SystemExit(f"expected {'full' if passed else 'less than full'} points, not {score}, for {student}")

    def nbgrader_class(self) -> None:
        """One command for all students of the sample."""
        root = self.folder / "nbgrader_class"
        spent = course.autograde(root, self.settings)
        self.ways["nbgrader_class"].add(spent, {student: course.verdicts(root, student) for student in self.sample})

    def pytest(self, students: Sequence[str]) -> None:
        """A process a student, without the plugins that the tests don't need."""
        settings = self.settings | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [BIN / "pytest", "-q", "-rA", "--tb=no", "-p", "autograder.testing.plugin", "-p", "no:cacheprovider"]
        for student in students:
            spent, said = cost.run(command, self.folder / "pytest" / student / SLUG, settings, accepted=(0, 1))
            self.ways["pytest"].add(spent, {student: _read_summary(said)})

    def warm(self) -> None:
        """The tests alone, in a process that has imported everything and run once: with pytest, and without."""
        for name, options in (("warm_pytest", ["--pytest"]), ("floor", [])):
            program, modules = Path(__file__).with_name("direct_tests.py"), map(self._module, self.sample)
            command = [sys.executable, "-P", program, *options, self.exercise.folder, ROOT / "solutions", *modules]
            found = json.loads(cost.run(command, self.folder, self.settings)[1].splitlines()[-1])
            self.ways[name].add(Cost(found["cpu_s"], found["wall_s"]), found["verdicts"])


def _passed(report: dict[str, Any]) -> Verdicts:
    return {test["id"]: test["status"] == "passed" for task in report["tasks"] for test in task["tests"]}


def _read_summary(said: str) -> Verdicts:
    """The verdicts in the short summary that -rA prints; a test passed when it did on every device."""
    found: Verdicts = {}
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("PASSED", "FAILED", "ERROR"):
            name = rest.split(" ", 1)[0].split("[", 1)[0]
            found[name] = found.get(name, True) and word == "PASSED"
    return found


def steps(bench: Bench, rounds: int) -> Iterator[Callable[[], None]]:
    """The measurements in turns: a busy minute of the machine falls on all ways alike."""
    for number in range(rounds):
        part = bench.sample[number::rounds]
        yield bench.ptqlab
        yield lambda: bench.ptqlab("ptqlab_every", "--every-test")
        if "nbgrader_each" in bench.ways:
            yield lambda part=part: bench.nbgrader("nbgrader_each", part)
            yield lambda part=part: bench.nbgrader("nbgrader_functions", part)
        if "otter_each" in bench.ways:
            yield lambda part=part: bench.otter_run("otter_each", part)
            yield lambda part=part: bench.otter_run("otter_functions", part)
        yield lambda part=part: bench.pytest(part)
        yield bench.warm
        if number == rounds // 2 and "nbgrader_class" in bench.ways:
            yield bench.nbgrader_class


def check_agreement(ways: dict[str, Way]) -> int:
    """The number of tests; ends the benchmark when two ways judge one of them differently."""
    expected = ways["ptqlab"].verdicts
    for name, way in ways.items():
        for student, verdicts in way.verdicts.items():
            tests = expected[student].keys() | verdicts.keys()
            differing = sorted(test for test in tests if verdicts.get(test) != expected[student].get(test))
            if differing:
                raise SystemExit(f"expected one verdict; {TITLES[name]} differs on {student}: {', '.join(differing)}")
    return len(next(iter(expected.values())))


def table(bench: Bench, tests: int) -> str:
    """The costs as a Markdown table, and what a reader needs to know of them."""
    base = bench.ways["ptqlab"]
    lines = [
        "| one lab 01 submission | CPU s | wall s | CPU, against ptqlab | measured on |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, way in bench.ways.items():
        ratio = way.cpu_s / base.cpu_s
        lines.append(f"| {TITLES[name]} | {way.cpu_s:.3f} | {way.wall_s:.3f} | {ratio:.2f}× | {way.submissions} |")
    compared = ("ptqlab", "nbgrader", *(["otter-grader"] if "otter_each" in bench.ways else []), "pytest", "torch")
    packages = ", ".join(f"{name} {version(name)}" for name in compared)
    lines += [
        "",
        f"Class of {len(bench.students)}, {tests} tests on the CPU and the simulated device, one job, one thread each, "
        "medians; all ways gave the same verdict on every test.",
        f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, {packages}.",
    ]
    return "\n".join(lines)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Measure, check that all agree, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--students", type=int, default=20, help="size of the class")
    parser.add_argument("--sample", type=int, default=6, help="how many of them the slow ways grade")
    parser.add_argument("--rounds", type=int, default=3, help="how often the ways take turns")
    parser.add_argument(
        "--without-notebooks", action="store_true", help="leave out nbgrader and otter, which take longest by far"
    )
    parser.add_argument("--out", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    sample = min(options.sample, options.students)
    cost.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="ptqlab-bench-") as folder:
        bench = Bench(Path(folder), options.students, sample, not options.without_notebooks)
        for step in steps(bench, min(options.rounds, sample)):
            step()
        text = table(bench, check_agreement(bench.ways))
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
