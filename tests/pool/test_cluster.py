"""A class on a Dask cluster: the same scores to the byte, whatever happens to the machines."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Nanny, Scheduler, SpecCluster
from support import ROOT
from support.grader_jobs import dies, double, kills_whoever_asked, machine

from autograder.course.catalog import load_exercise
from autograder.course.sources import reference_source
from autograder.grading.batch import grade_class
from autograder.grading.found import Found
from autograder.grading.job import Job, finish_job
from autograder.pool import cluster
from autograder.pool.cluster import Cluster
from autograder.pool.executor import GraderDiedError, GraderGivenUpError, GraderPool
from autograder.records import PtqlabError, Report, Settings

SLUG = "01_basic_quantization"
WAIT_S = 120  # no wait in here is for ever
REFERENCE = reference_source(ROOT / "solutions" / SLUG / "source.py")
CLASS = {
    "perfect": REFERENCE,
    "stub": "import torch\n",
    "half": f"{REFERENCE}\n\ndef compute_sqnr(original, restored):\n    return 0.0\n",
    "leaves": f"{REFERENCE}\n\ndef compute_kl_div(p, q):\n    import os\n    os._exit(0)\n",
    "unreadable": "def (",
}


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[SpecCluster]:
    """A scheduler, and two workers of one thread; one of them offers a GPU (which only the scheduler believes)."""
    workers = {
        name: {"cls": Nanny, "options": {"nthreads": 1, "resources": resources, "dashboard": False}}
        for name, resources in (("with", {"GPU": 1}), ("without", {}))
    }
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "dashboard_address": None}}
    patient = {"distributed.scheduler.allowed-failures": 1, "distributed.deploy.lost-worker-timeout": "600s"}
    with dask.config.set(patient):  # a busy machine needs a while to start a killed worker again
        with SpecCluster(workers=workers, scheduler=scheduler) as running:
            yield running


@pytest.fixture
def pool(dask_cluster: SpecCluster) -> Iterator[Cluster]:
    with Cluster(dask_cluster.scheduler_address) as found:
        found._client.wait_for_workers(2, timeout=WAIT_S)
        yield found


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for student, source in CLASS.items():
        (folder / f"{student}.py").write_text(source, encoding="utf-8")
    return folder


def ptqlab(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("ptqlab"), *arguments]
    environment = os.environ | {"PTQLAB_COURSE": str(ROOT)}
    return subprocess.run(
        [str(a) for a in command], capture_output=True, text=True, timeout=600, cwd="/", env=environment
    )


def outcomes(out: Path) -> dict[str, Any]:
    """Every report without the time it took."""
    found = {path.parent.name: json.loads(path.read_text()) for path in out.glob(f"*/{SLUG}.json")}
    for report in found.values():
        report["duration_s"] = 0
        for task in report["tasks"]:
            for test in task["tests"]:
                test["duration_s"] = 0
    return found


def grade_here(folder: Path, out: Path, pool: Executor | None, **more: Any) -> list[Report]:
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    found = [Found(path.stem, SLUG, path) for path in sorted(folder.iterdir())]
    return grade_class(found, [exercise], Settings(seed=7), out, root=folder, pool=pool, **more)


# --- the same scores ----------------------------------------------------------------------------------------------


def test_a_cluster_gives_the_same_scores_byte_for_byte(
    dask_cluster: SpecCluster, handed_in: Path, tmp_path: Path
) -> None:
    arguments = ("grade", handed_in, "--exercise", SLUG, "--seed", 7)
    here = ptqlab(*arguments, "--out", tmp_path / "here", "--jobs", 2)
    there = ptqlab(*arguments, "--out", tmp_path / "there", "--scheduler", dask_cluster.scheduler_address)
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    assert (tmp_path / "here" / "scores.csv").read_bytes() == (tmp_path / "there" / "scores.csv").read_bytes()
    assert outcomes(tmp_path / "here") == outcomes(tmp_path / "there")
    assert sorted(outcomes(tmp_path / "there")) == sorted(CLASS)


def test_a_worker_killed_in_the_middle_loses_nothing(pool: Cluster, handed_in: Path, tmp_path: Path) -> None:
    undisturbed = grade_here(handed_in, tmp_path / "here", None, jobs=2)
    killed: list[int] = []

    def kill_one(report: Report, code: object) -> None:
        if not killed:
            killed.extend(pool._client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

    disturbed = grade_here(handed_in, tmp_path / "there", pool, elsewhere=True, on_report=kill_one)
    assert killed
    assert [(r.student, r.status, r.earned) for r in disturbed] == [
        (r.student, r.status, r.earned) for r in undisturbed
    ]
    assert outcomes(tmp_path / "there") == outcomes(tmp_path / "here")


# --- the executor -------------------------------------------------------------------------------------------------


def test_work_is_done_by_a_grading_process_of_a_worker_and_not_by_the_worker(pool: Cluster) -> None:
    workers = set(pool._client.run(os.getpid).values())
    process, worker = pool.submit(machine).result()
    assert worker in workers
    assert process not in workers
    assert list(pool.map(double, range(4))) == [0, 2, 4, 6]


def test_a_grading_process_that_dies_takes_no_worker_with_it(pool: Cluster) -> None:
    workers = set(pool._client.run(os.getpid).values())
    with pytest.raises(GraderDiedError) as caught:
        pool.submit(dies).result()
    assert not isinstance(caught.value, GraderGivenUpError)
    assert set(pool._client.run(os.getpid).values()) == workers


def test_a_job_that_kills_workers_is_given_up(pool: Cluster) -> None:
    with pytest.raises(GraderGivenUpError):
        pool.submit(kills_whoever_asked).result(timeout=WAIT_S)
    assert pool.submit(double, 2).result(timeout=WAIT_S) == 4


def test_work_for_a_gpu_goes_only_where_one_is_offered(dask_cluster: SpecCluster) -> None:
    with Cluster(dask_cluster.scheduler_address, "cuda") as gpus:
        gpus._client.wait_for_workers(2, timeout=WAIT_S)
        assert gpus.size == 2
        assert len({worker for _, worker in gpus.map(machine, range(6))}) == 1
    with Cluster(dask_cluster.scheduler_address) as both:
        assert len({worker for _, worker in both.map(machine, range(6))}) == 2


def test_an_address_where_nobody_answers_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    with pytest.raises(PtqlabError, match="Expected a Dask scheduler at tcp://127.0.0.1:9, but none answers"):
        Cluster("tcp://127.0.0.1:9")
    with pytest.raises(PtqlabError, match="Expected a Dask scheduler at nonsense://x"):
        Cluster("nonsense://x")


def test_without_dask_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PtqlabError, match="pip install 'ptqlab\\[cluster\\]'"):
        Cluster("tcp://127.0.0.1:9")


# --- what another machine knows, and what it says -----------------------------------------------------------------


class Elsewhere(Executor):
    """A machine that does not see our files, and whose reports `changed` alters."""

    def __init__(self, graders: GraderPool, changed: Callable[[Report], Report] = lambda report: report) -> None:
        self.graders, self.changed = graders, changed

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert function is finish_job
        job: Job = args[0]
        if job.file.path is not None:
            job = replace(job, file=replace(job.file, path=Path("/nowhere") / job.file.path.name))
        future: Future[Any] = Future()
        finished = self.graders.submit(finish_job, job).result()
        future.set_result(replace(finished, report=self.changed(finished.report)))
        return future


@pytest.fixture(scope="module")
def graders() -> Iterator[GraderPool]:
    with GraderPool(1) as running:
        yield running


@pytest.fixture
def one(tmp_path: Path) -> Path:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "half.py").write_text(CLASS["half"], encoding="utf-8")
    return folder


def test_the_files_content_travels_with_the_work(one: Path, tmp_path: Path, graders: GraderPool) -> None:
    (one / "link.py").symlink_to(one / "half.py")
    link, half = grade_here_sorted(one, tmp_path, Elsewhere(graders))
    assert half.status == "graded"
    assert 23 < (half.earned or 0) < 25, "of 25 points a part of one task's 2 is lost"
    assert (link.status, link.reason) == (
        "unreadable",
        "link.py is a symbolic link, which is not followed; hand in the file itself.",
    )


def grade_here_sorted(folder: Path, tmp_path: Path, pool: Executor) -> list[Report]:
    reports = grade_here(folder, tmp_path / "out", pool, elsewhere=True)
    return sorted(reports, key=lambda report: report.student, reverse=True)


@pytest.mark.parametrize(
    "change, differs",
    [
        ({"outcomes_sha256": "0" * 64}, "exercise, data or torch"),
        ({"kit_version": "0.0.1"}, r"version of ptqlab \(0.0.1, not "),
    ],
)
def test_a_machine_with_another_course_or_kit_gives_no_score(
    one: Path, tmp_path: Path, graders: GraderPool, change: dict[str, str], differs: str
) -> None:
    machine = Elsewhere(graders, lambda report: replace(report, **change))
    (report,) = grade_here(one, tmp_path / "out", machine, elsewhere=True)
    assert (report.status, report.earned) == ("withheld", None)
    assert re.match(f"The machine that graded it has another {differs}", report.reason)
