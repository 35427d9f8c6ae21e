"""A class of submissions: what has been graded already is kept, the rest goes to grading processes, and each report is
written the moment it is ready.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

from autograder.course.fingerprint import points_sha256
from autograder.grading.code_fingerprint import Code
from autograder.grading.dispatch import dispatch
from autograder.grading.found import Found
from autograder.grading.job import Job, finished
from autograder.grading.rescoring import rescored_report
from autograder.grading.store import refuse_shared_paths, report_path, valid_report, write_report, write_scores
from autograder.pool.executor import KEPT_MB, GraderPool
from autograder.records import Exercise, Report, Settings


def grade_class(
    files: Sequence[Found],
    exercises: Sequence[Exercise],
    settings: Settings,
    out: Path,
    *,
    root: Path,
    jobs: int = 1,
    pool: Executor | None = None,
    elsewhere: bool = False,
    regrade: bool = False,
    keep: Callable[[Report], Report] = lambda report: report,
    on_report: Callable[[Report, Code | None], None] = lambda report, code: None,
) -> list[Report]:
    """Grade every submission and write its report below `out`; return what to `keep` of each report, in the order of
    the files. `on_report` gets every report when it is ready, and the submission's code where that has been read.

    `root` is the folder of submissions, which student code must not read. `pool` runs the jobs; without one, `jobs`
    grading processes are started, and ended afterwards. `elsewhere`: the pool's processes may be on other machines.
    """
    refuse_shared_paths(out, files)
    by_slug = {exercise.slug: exercise for exercise in exercises}
    work = [Job(file, by_slug[file.exercise], settings, (str(root.resolve()),)) for file in files]
    reports: dict[int, Report] = {}

    def ready(number: int, report: Report, code: Code | None = None) -> None:
        reports[number] = keep(report)
        on_report(report, code)

    for number, job in enumerate(work):
        if not regrade and (report := valid_report(out, job)):
            ready(number, _with_present_points(report, job, out))
    ungraded = {number: job for number, job in enumerate(work) if number not in reports}
    with _executor(pool, jobs, ungraded.values()) as executor:
        for number, result in dispatch(executor, ungraded, elsewhere):
            write_report(report_path(out, work[number].file), result.record, result.page)
            ready(number, result.report, result.code)
    in_order = [reports[number] for number in range(len(work))]
    write_scores(out, exercises, {report_path(out, file): report for file, report in zip(files, in_order, strict=True)})
    return in_order


def _executor(pool: Executor | None, count: int, jobs: Collection[Job]) -> AbstractContextManager[Executor]:
    """Return the pool that was lent, which its owner ends, or a new one of at most `count` grading processes."""
    if pool is not None:
        return contextlib.nullcontext(pool)
    preload = [name for job in jobs for name in job.exercise.preload]
    of_one_lab = len({job.exercise.slug for job in jobs}) == 1
    # a lab's models are kept on purpose, and so is what several labs need
    kept_mb = KEPT_MB if of_one_lab and not preload else math.inf
    return GraderPool(min(count, len(jobs)), preload=preload, kept_mb=kept_mb)


def _with_present_points(report: Report, job: Job, out: Path) -> Report:
    """Return a stored report, scored and written again where points or shares have changed."""
    if report.points_sha256 == points_sha256(job.exercise):
        return report
    result = finished(job, rescored_report(job.exercise, report))
    write_report(report_path(out, job.file), result.record, result.page)
    return result.report
