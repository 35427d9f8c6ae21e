"""One batch, half of it hostile: the honest half gets what it gets alone, and nothing is left of the other."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import common
import pytest
from support import ROOT, habits, watched

from autograder.course.sources import reference_source

pytestmark = pytest.mark.proof  # minutes; memory is looked at while it grades

SLUG = watched.SLUG
SOLUTION = ROOT / "solutions" / SLUG
SEED = 20261123
LIMITS = "\n[limits]\ncall_cpu_s = 1\nsubmission_cpu_s = 10\nmemory_mb = 600\nscratch_mb = 8\nreply_mb = 8\n"
HALF = 100  # students who are honest, and as many who are not
LONG = (
    "keys_that_collide",
)  # first: 97 answers of 1.2 MB, each its worker's last, take 40 s, and would outlast the class
SETTLED = 0.25  # of the class: by then a grading process has made what it makes once
FIRST_JOB_KB = 12 << 10  # at least so much (measured: 13 MB) a grading process makes once, with its first job
FIRST_JOBS = 8  # reports after which one that began later has what the others have learned, too (measured: 10 MB more)
GROWTH_KB = 16 << 10  # a grading process's and a zygote's memory afterwards; measured: see below


def honest_answers() -> Iterator[tuple[str, str]]:
    """Names and modules: the reference, habits, wrong answers and other right ones, in turns."""
    reference = reference_source(SOLUTION / "source.py")
    yield "reference", reference
    written = [
        [("habit_" + name, "\n\n".join(habits.cells(name))) for name in habits.NAMES],
        *(
            [
                (path.stem, f"{reference}\n\n{path.read_text(encoding='utf-8')}")
                for path in sorted((SOLUTION / kind).glob("*.py"))
            ]
            for kind in ("mutants", "variants")
        ),
    ]
    turns = [iter(group) for group in written]
    while turns:
        for group in list(turns):
            try:
                yield next(group)
            except StopIteration:
                turns.remove(group)


def hostile_answers(target: common.Target, count: int) -> Iterator[tuple[str, str]]:
    bank = sorted(common.read_bank(), key=lambda attack: attack.name not in LONG)
    for number, attack in enumerate(islice(cycle(bank), count)):
        yield f"hostile_{number:03}_{attack.name}", attack.aimed(target)


def in_turns(*halves: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The honest and the hostile with names that have them graded in turns. The hostile ones begin sooner: one that sleeps
    until its time is up would else hold a grading process beyond the end of the class, where memory is looked at.
    """
    honest, hostile = halves
    places = sorted([(4 * i, 0, i) for i in range(len(honest))] + [(3 * i, 1, i) for i in range(len(hostile))])
    named: list[list[tuple[str, str]]] = [[], []]
    for rank, (_, which, index) in enumerate(places):
        name, source = halves[which][index]
        named[which].append((f"s{rank:03}_{name}", source))
    return named


@dataclass
class Levels:
    """Memory of each process that lasts (kB), by how many reports were written when it was looked at."""

    seen: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)

    def look(self, command: int, out: Path) -> None:
        written = len(list(out.glob(f"*/{SLUG}.json")))
        for one in watched.processes(command):
            if one.role in ("command", "fork server", "grading process", "zygote"):
                self.seen.setdefault((one.role, one.pid), []).append((written, watched.anonymous_kb(one.pid)))

    def growth_kb(self, size: int) -> dict[tuple[str, int], int]:
        """Of each that is there at the end: the lowest level in the last tenth of the class, three submissions at least (on
        a busy machine few are looked at), above the lowest between its first quarter and its half, or, of a process
        that began later, above the lowest once it has made what it makes once.
        """
        grown = {}
        end = max(written for levels in self.seen.values() for written, _ in levels)
        for process, levels in self.seen.items():
            settled = levels[0][1] + FIRST_JOB_KB if process[0] == "grading process" else 0
            made = [(written, kb) for written, kb in levels if kb > settled]
            early = [kb for written, kb in made if size * SETTLED <= written <= size / 2] or [kb for _, kb in made]
            if levels[0][0] > size * SETTLED:
                early = [kb for written, kb in made if written >= levels[0][0] + min(FIRST_JOBS, size // 4)]
            late = [kb for written, kb in levels if written >= min(size * 0.9, size - 3) and kb]
            if (
                early and late and levels[-1][0] >= end - 1
            ):  # one that was replaced may have been in the middle of a large job
                grown[process] = min(late) - min(early)
        return grown


@dataclass(frozen=True)
class Run:
    """What came of one `ptqlab grade`."""

    code: int
    said: str
    reports: dict[str, Any]
    unexpected: list[str]
    temporary: list[str]
    processes: list[int]
    groups: list[Path]
    levels: Levels


def grade(handed: Path, course: Path, jobs: int) -> Run:
    """Grade a folder, and look at what is there meanwhile and afterwards."""
    out, levels = handed.with_name(f"{handed.name}-out"), Levels()
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary, watched.adopting():
        os.chmod(temporary, 0o711)
        before = watched.below(os.getpid())
        command = watched.grade(handed, out, Path(temporary), "--seed", SEED, "--jobs", jobs, course=course)
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.1):
                levels.look(command.pid, out)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            said, _ = command.communicate(timeout=3600)
        finally:
            over.set()
            looking.join()
            command.kill()
        left = watched.left_behind(before)
        groups = watched.groups_left()
        return Run(
            command.returncode,
            said,
            watched.results(out),
            watched.unexpected(out),
            os.listdir(temporary),
            left,
            groups,
            levels,
        )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course with this one exercise, under tight limits: a hostile submission uses up whatever it gets."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "exercises" / SLUG, folder / "exercises" / SLUG)
    shutil.copytree(SOLUTION, folder / "solutions" / SLUG)
    described = folder / "exercises" / SLUG / "exercise.toml"
    text = described.read_text(encoding="utf-8")
    assert "[limits]" not in text
    described.write_text(text.replace("\n[[task]]", LIMITS + "\n[[task]]", 1), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Batch:
    """The two runs, and what the attacks reached outside."""

    honest: list[str]
    hostile: list[str]
    alone: Run
    mixed: Run
    hits: set[str]


@pytest.fixture(scope="module")
def batch(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    folder = tmp_path_factory.mktemp("classes")
    with common.Target((course / "exercises" / SLUG, course / "solutions" / SLUG, folder)) as target:
        honest, hostile = in_turns(list(islice(honest_answers(), HALF)), list(hostile_answers(target, HALF)))
        for name, answers in (("alone", honest), ("mixed", honest + hostile)):
            (folder / name).mkdir()
            for student, source in answers:
                (folder / name / f"{student}.py").write_text(source, encoding="utf-8")
            (folder / f"{name}-out").mkdir()
        alone = grade(folder / "alone", course, 1)
        target.seen = target._names()
        mixed = grade(folder / "mixed", course, 2)
        found = Batch(
            [n for n, _ in honest],
            [n for n, _ in hostile],
            alone,
            mixed,
            target.hits(),
        )
    print(*(f"{role} {pid}: {kb:+} kB" for (role, pid), kb in mixed.levels.growth_kb(2 * HALF).items()), sep="\n")
    return found


def of(student: str) -> str:
    return f"{student}/{SLUG}.json"


def test_everybody_has_a_score(batch: Batch) -> None:
    assert batch.mixed.code == 0, batch.mixed.said
    assert set(batch.mixed.reports) == {of(name) for name in batch.honest + batch.hostile}
    assert {report["status"] for report in batch.mixed.reports.values()} <= {"graded", "partial"}


def test_the_honest_get_to_every_test_the_outcome_that_they_get_alone(batch: Batch) -> None:
    assert set(batch.alone.reports) == {of(name) for name in batch.honest}
    differing = [name for name in batch.honest if batch.mixed.reports[of(name)] != batch.alone.reports[of(name)]]
    assert differing == []


def test_the_honest_are_not_all_alike(batch: Batch) -> None:
    """Full marks and less, so that the claim above is about right and wrong answers."""
    earned = {batch.alone.reports[of(name)]["earned"] for name in batch.honest}
    assert 25.0 in earned
    assert len(earned) > 2


def test_no_hostile_one_earns_a_point(batch: Batch) -> None:
    assert {
        name: batch.mixed.reports[of(name)]["earned"]
        for name in batch.hostile
        if batch.mixed.reports[of(name)]["earned"]
    } == {}


def test_nothing_outside_was_reached(batch: Batch) -> None:
    """No file, no message, no signal; nothing of an attack's in shared memory."""
    assert batch.hits == set()


def test_no_process_is_left(batch: Batch) -> None:
    assert batch.mixed.processes == []
    assert batch.mixed.groups == []


def test_the_disk_ends_where_it_began(batch: Batch) -> None:
    """An empty temporary folder, and nothing but reports among the reports."""
    assert batch.mixed.temporary == []
    assert batch.mixed.unexpected == []


def test_the_memory_of_what_lasts_ends_where_it_began(batch: Batch) -> None:
    """Of the command, of its fork server, of each grading process and zygote."""
    measured = batch.mixed.levels.growth_kb(len(batch.honest + batch.hostile))
    assert {role for role, _ in measured} == {"command", "fork server", "grading process", "zygote"}
    assert {process: kb for process, kb in measured.items() if kb > GROWTH_KB} == {}
