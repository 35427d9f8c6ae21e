"""Grading processes: forks of one interpreter that knows nothing, replaced when they die or have worked long enough."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest
from support import ROOT
from support.grader_jobs import (
    cores,
    cores_of_each,
    count_kept,
    dies,
    double,
    fails,
    gives_what_cannot_be_sent,
    is_imported,
    keep_megabytes,
    keep_much,
    makes_files,
    number_of_process,
    where,
    zygote_of_process,
)

from autograder.course.catalog import load_exercise
from autograder.course.sources import reference_source
from autograder.grading.batch import grade_class
from autograder.grading.found import Found
from autograder.grading.job import Job
from autograder.pool import executor
from autograder.pool.executor import KEPT_MB, GraderDiedError, GraderPool
from autograder.records import PtqlabError, Settings
from autograder.sandbox import launcher

SLUG = "01_basic_quantization"
MARKER = "a-token-of-the-instructors-" + "0123456789abcdef"


@pytest.fixture(scope="module")
def pool() -> Iterator[GraderPool]:
    with GraderPool(1) as running:
        yield running


def test_a_function_runs_there_and_its_value_comes_back(pool: GraderPool) -> None:
    assert list(pool.map(double, range(5))) == [0, 2, 4, 6, 8]
    assert pool.submit(number_of_process).result() != os.getpid()


def test_an_error_comes_back_as_itself_with_the_place_where_it_happened(pool: GraderPool) -> None:
    with pytest.raises(PtqlabError, match="one clear sentence") as caught:
        pool.submit(fails).result()
    assert "in fails" in caught.value.__notes__[0]


def test_a_value_that_cannot_be_sent_is_an_error_and_the_process_goes_on(pool: GraderPool) -> None:
    before = pool.submit(number_of_process).result()
    with pytest.raises(RuntimeError, match="the result can't be sent"):
        pool.submit(gives_what_cannot_be_sent).result()
    assert pool.submit(number_of_process).result() == before


def test_it_stands_in_the_same_folder_with_the_same_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PTQLAB_TEST_TOKEN", MARKER)
    monkeypatch.chdir(tmp_path)
    with GraderPool(1) as running:
        assert running.submit(where).result() == (str(tmp_path), MARKER, sys.path)


def test_one_that_dies_loses_its_own_job_and_no_other(pool: GraderPool) -> None:
    jobs = [pool.submit(double, 1), pool.submit(dies), pool.submit(double, 2)]
    assert jobs[0].result() == 2
    with pytest.raises(GraderDiedError):
        jobs[1].result()
    assert jobs[2].result() == 4


def test_of_a_job_nothing_is_kept(pool: GraderPool) -> None:
    """Neither the frames of a test's last exception, which pytest leaves for debuggers, nor what refers to itself."""
    assert pool.submit(keep_much).result() > 0
    assert pool.submit(count_kept).result() == 0


def test_a_function_that_it_cannot_import_is_an_error_and_the_process_goes_on(pool: GraderPool) -> None:
    before = pool.submit(number_of_process).result()
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        pool.submit(eventually, bool).result()
    assert pool.submit(number_of_process).result() == before


def test_one_that_has_worked_long_enough_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "RUNS_PER_PROCESS", 2)
    with GraderPool(1) as running:
        seen = [running.submit(number_of_process).result() for _ in range(5)]
    assert [seen.index(number) for number in seen] == [0, 0, 2, 2, 4]


def test_one_that_is_replaced_has_ended_before_the_next_one_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its zygote, too: two at a time would take twice the memory."""
    monkeypatch.setattr(executor, "RUNS_PER_PROCESS", 1)
    living: list[str] = []
    with GraderPool(1) as running:
        start = running._start

        def look_and_start(core: int | None) -> object:
            living.extend(state for number in before for state in [state_of(number)] if state not in ("", "Z"))
            return start(core)

        grader, _, zygotes = running.submit(zygote_of_process).result()
        before = (grader, zygotes)
        monkeypatch.setattr(running, "_start", look_and_start)
        assert running.submit(zygote_of_process).result()[0] != grader
    assert living == []


def state_of(pid: int) -> str:
    """The letter that proc(5) has for it; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def test_one_that_keeps_memory_is_replaced() -> None:
    """Whatever a submission makes it keep is gone before the next but one."""
    with GraderPool(1, kept_mb=KEPT_MB) as pool:
        numbers = [pool.submit(keep_megabytes, size).result() for size in (2, 2, 2, 40, 0, 0)]
    assert len(set(numbers[:4])) == 1
    assert len(set(numbers[4:])) == 1
    assert numbers[3] != numbers[4]


@pytest.mark.parametrize("end", ["in its time", "when it is replaced", "by SIGKILL"])
def test_its_temporary_files_end_with_it(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models that hidden tests make and measure are 14 MB each."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(launcher, "PASSED_ON", (*launcher.PASSED_ON, "TMPDIR"))
    monkeypatch.setattr(executor, "RUNS_PER_PROCESS", 1 if end == "when it is replaced" else 300)
    with GraderPool(1) as running:
        folder = Path(running.submit(makes_files).result())
        assert folder.is_dir()
        assert folder.is_relative_to(tmp_path)
        if end == "when it is replaced":
            assert running.submit(double, 1).result() == 2
            assert eventually(lambda: not folder.exists())
        elif end == "by SIGKILL":
            with pytest.raises(GraderDiedError):
                running.submit(dies).result()
    assert os.listdir(tmp_path) == []


def test_libraries_are_imported_once_for_all_and_one_that_is_missing_stops_nobody() -> None:
    names = ["colorsys", "no_such_library"]
    with GraderPool(1, preload=names) as running:
        assert [running.submit(is_imported, name).result() for name in names] == [True, False]
    with GraderPool(1) as running:
        assert not running.submit(is_imported, "colorsys").result()


def test_it_and_its_zygote_are_bound_to_the_same_core(pool: GraderPool) -> None:
    own, zygotes = pool.submit(cores).result()
    assert own == zygotes
    assert len(own) == 1


def test_two_processes_take_two_cores(tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    with GraderPool(2) as running:
        found = list(running.map(cores_of_each, [(str(tmp_path), 2)] * 2))
    assert found[0] != found[1]


def test_its_zygote_is_a_process_beside_it_and_ends_with_it() -> None:
    with GraderPool(1) as running:
        grader, forkserver, zygote = running.submit(zygote_of_process).result()
        assert Path(f"/proc/{zygote}/stat").read_text().split()[3] == str(forkserver)
    assert not any(Path(f"/proc/{number}").exists() for number in (grader, forkserver, zygote))


def memory_of(pid: int) -> bytes:
    """All readable memory of a process: what a fork of it could find."""
    found = []
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last, rights, _, _, *name = re.split(r"[ -]+", line, maxsplit=6)
            if rights.startswith("rw") and name[0:1] != ["[vvar]"]:
                memory.seek(int(first, 16))
                try:
                    found.append(memory.read(int(last, 16) - int(first, 16)))
                except OSError:
                    continue
    return b"".join(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="reading another process's memory needs root")
def test_nothing_that_a_grading_process_is_told_is_in_the_memory_of_its_zygote_or_of_their_parent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Deleted objects stay readable in a fork: the environment, a submission, the tests must never have been there."""
    monkeypatch.setenv("PTQLAB_TEST_TOKEN", MARKER)
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    handed = tmp_path / "somebody.py"
    handed.write_text(reference_source(ROOT / "solutions" / SLUG / "source.py") + f"\n# {MARKER}\n")
    hidden = hidden_name(exercise.solution)
    with GraderPool(1) as running:
        found = [Found("somebody", SLUG, handed)]
        report = grade_class(found, [exercise], Settings(20261123), tmp_path / "out", root=tmp_path, pool=running)[0]
        assert report.earned == exercise.possible
        grader, forkserver, zygote = running.submit(zygote_of_process).result()
        texts = {"grader": memory_of(grader), "zygote": memory_of(zygote), "forkserver": memory_of(forkserver)}
    for secret in (MARKER.encode(), hidden):
        assert [name for name, text in texts.items() if secret in text] == ["grader"], secret


def hidden_name(solution: Path | None) -> bytes:
    assert solution is not None
    names = re.findall(r"^def (test_\w+)", (solution / "test_hidden.py").read_text(encoding="utf-8"), re.MULTILINE)
    return max(names, key=len).encode()


def test_a_submission_that_kills_its_grading_process_once_is_graded_all_the_same(tmp_path: Path) -> None:
    """And one that does so twice is withheld, with a reason; nobody else is touched."""
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    found = []
    for name in ("once", "twice", "never"):
        path = tmp_path / f"{name}.py"
        path.write_text(reference_source(ROOT / "solutions" / SLUG / "source.py"))
        found.append(Found(name, SLUG, path))
    with Deadly(1, tmp_path) as running:
        reports = grade_class(found, [exercise], Settings(1), tmp_path / "out", root=tmp_path, pool=running)
    assert [report.status for report in reports] == ["graded", "withheld", "graded"]
    assert reports[1].reason == "The grading process died each time that this submission was graded."
    assert json.loads((tmp_path / "out" / "twice" / f"{SLUG}.json").read_text())["earned"] is None


def test_a_pool_that_is_lent_outlives_an_error(pool: GraderPool, tmp_path: Path) -> None:
    """As in nbgrader, where one pool grades a whole class."""
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    handed = tmp_path / "somebody.py"
    handed.write_text("x = 1\n")
    with pytest.raises(PtqlabError):
        grade_class(
            [Found("somebody", SLUG, handed)],
            [exercise],
            Settings(1),
            tmp_path / "out",
            root=tmp_path,
            pool=Refusing(pool),
        )
    assert pool.submit(double, 1).result() == 2


class Refusing(Executor):
    """Hands every job to a pool as one that fails."""

    def __init__(self, pool: GraderPool) -> None:
        self.pool = pool

    def submit(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        return self.pool.submit(fails)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait, cancel_futures=cancel_futures)


class Deadly(GraderPool):
    """Kills the process that grades `once` the first time, and that grades `twice` every time."""

    def __init__(self, count: int, folder: Path) -> None:
        super().__init__(count)
        self.folder = folder

    def submit(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        job = args[0]
        assert isinstance(job, Job)
        mark = self.folder / "killed"
        if job.file.student == "twice" or (job.file.student == "once" and not mark.exists()):
            if job.file.student == "once":
                mark.touch()
            return super().submit(dies)
        return super().submit(function, *args, **kwargs)


def test_after_an_interruption_nobody_waits_for_what_is_still_being_done() -> None:
    """As on Ctrl-C in `ptqlab grade`: the job in hand is given up, the waiting one never starts."""
    with pytest.raises(KeyboardInterrupt), GraderPool(1) as running:
        grader = running.submit(number_of_process).result()
        begun, waiting = running.submit(time.sleep, 600), running.submit(double, 1)
        assert eventually(begun.running)
        running.shutdown(wait=False, cancel_futures=True)
        raise KeyboardInterrupt
    assert isinstance(begun.exception(), GraderDiedError)
    assert waiting.cancelled()
    assert not alive(grader)


def test_the_command_that_starts_them_imports_no_torch() -> None:
    """It costs two seconds, and memory that only grading processes need."""
    code = "import sys, autograder.grading.batch, autograder.grading.class_report, autograder.cli; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_when_the_command_is_killed_everything_ends() -> None:
    code = textwrap.dedent("""
        import sys, time
        sys.path.insert(0, {tests!r})
        from autograder.pool.executor import GraderPool
        from support.grader_jobs import zygote_of_process
        running = GraderPool(1)
        print(*running.submit(zygote_of_process).result(), flush=True)
        running.submit(time.sleep, 60)
        time.sleep(1)
        print("busy", flush=True)
        time.sleep(60)
    """).format(tests=str(ROOT / "tests"))
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        grader, forkserver, zygote = map(int, command.stdout.readline().split())
        command.stdout.readline()
        command.kill()
    assert eventually(lambda: not any(alive(number) for number in (zygote, forkserver, grader)))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("cores, gigabytes, count", [(2, 24, 2), (64, 16, 8), (4, 1, 1)])
def test_as_many_processes_as_there_are_cores_unless_memory_is_short(
    monkeypatch: pytest.MonkeyPatch, cores: int, gigabytes: int, count: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": gigabytes << 18, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert executor.default_jobs() == count
