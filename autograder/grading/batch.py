"""A class of submissions: handed out to processes, each report written the moment it is ready.

What a report's page takes to make is made in the grading process, beside other ones; here it is only written.

The code here knows only `concurrent.futures.Executor`. A submission already graded by the same kit, tests, seed
and settings is not graded again. Whatever goes wrong in one submission is that submission's report.
"""

from __future__ import annotations

import contextlib
import gc
import math
import queue
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from sys import intern
from types import MappingProxyType
from typing import Any

from autograder.course.fingerprint import outcomes_sha256, points_sha256, provenance
from autograder.grading.assignment import kept_settings
from autograder.grading.class_report import Code, code_of
from autograder.grading.intake import Found, file_name
from autograder.pool.executor import KEPT_MB, GraderDiedError, GraderGivenUpError, GraderPool
from autograder.records import Exercise, PtqlabError, Report, Settings, Status, Submission, Text
from autograder.report import report_from_json, report_to_html, report_to_json, scores_csv, write_atomically
from autograder.scoring import rescore, unscored
from autograder.submission.notebook import UnreadableError, read_bytes, read_submission, stub_code

TRIES = 2  # a submission whose grading process died is tried once more
MOST_HANDED_OUT = 2048  # submissions at a time; on a cluster their files wait in the scheduler's memory


@dataclass(frozen=True)
class Job:
    """One submission to grade, complete enough to be sent to another process."""

    found: Found
    exercise: Exercise
    settings: Settings
    secrets: tuple[str, ...]
    data: bytes | None = None  # the file's content, where the grading process may be on another machine


@dataclass(frozen=True)
class Finished:
    """What comes back of a job: its report, that as an HTML page and as JSON, and what comparing the code takes."""

    report: Report
    page: str
    record: str
    code: Code | None = None


def grade_class(
    found: Sequence[Found],
    exercises: Sequence[Exercise],
    settings: Settings,
    out: Path,
    *,
    root: Path,
    jobs: int = 1,
    pool: Executor | None = None,
    elsewhere: bool = False,
    regrade: bool = False,
    tell: Callable[[Report], None] = lambda report: None,
    keep: Callable[[Report], Report] = lambda report: report,
    gather: Callable[[Report, Code | None], None] = lambda report, code: None,
) -> list[Report]:
    """Grade every submission found and write its report below `out`; returns what to `keep` of each, in the order
    found.

    Who wants to see them in between: `tell` is for people, `gather` for the class's page.

    `pool` runs them; without one, so many grading processes (`jobs`) are started, and ended afterwards. `elsewhere`
    says that it does so on other machines: they get the files' content, and what they graded with is compared with
    ours.
    """
    by_slug = {exercise.slug: exercise for exercise in exercises}
    todo = [Job(item, by_slug[item.exercise], settings, (str(root.resolve()),)) for item in found]
    done: dict[int, Report] = {}
    for index, job in enumerate(todo):
        earlier = None if regrade else _already_graded(job, out)
        if earlier is not None:
            if earlier.points_sha256 != points_sha256(job.exercise):
                earlier = _rescored(earlier, job.exercise)
                _write(_finished(job, earlier), report_path(out, job.found))
            done[index] = keep(earlier)
            gather(earlier, None)
            tell(earlier)
    left = [index for index in range(len(todo)) if index not in done]
    preload = [name for index in left for name in todo[index].exercise.preload]
    of_one = len({todo[index].exercise.slug for index in left}) == 1
    kept_mb = KEPT_MB if of_one and not preload else math.inf  # a lab's models are kept on purpose, and a course's labs
    running = (
        contextlib.nullcontext(pool)
        if pool or not left
        else GraderPool(min(jobs, len(left)), preload=preload, kept_mb=kept_mb)
    )
    with running as graders:
        for index, finished in _spread(graders, todo, left, elsewhere) if graders else ():
            _write(finished, report_path(out, todo[index].found))
            done[index] = keep(finished.report)
            gather(finished.report, finished.code)
            tell(finished.report)
    reports = [done[index] for index in range(len(todo))]
    known = {report_path(out, item): report for item, report in zip(found, reports, strict=True)}
    write_atomically(out / "scores.csv", scores_csv([report for _, report in all_reports(out, known)], exercises))
    return reports


def outline(report: Report) -> Report:
    """A report without its tests, enough for scores.csv and the scoreboard; what reports have in common is there
    once.
    """
    tasks = tuple(
        replace(task, id=intern(task.id), status=intern(task.status), title=_NOTHING, hint=_NOTHING, items=(), tests=())
        for task in report.tasks
    )
    common = ("exercise", "status", "isolation", "device", "kit_version", "outcomes_sha256", "points_sha256")
    same: dict[str, Any] = {name: intern(getattr(report, name)) for name in common}
    title = _TITLES.setdefault(tuple(report.title.items()), report.title)
    return replace(report, **same, title=title, tasks=tasks)


_NOTHING: Text = MappingProxyType({})
_TITLES: dict[tuple[tuple[str, str], ...], Text] = {}


def finish_job(job: Job) -> Finished:
    """Grade one submission, and make all that is to be written of it."""
    return _finished(job, run_job(job), _code(job))


def _code(job: Job) -> Code | None:
    """What comparing the code takes; whatever is wrong with it, the submission has its score, and so has everybody
    else.
    """
    if job.found.path is None:
        return None
    try:
        return code_of(job.exercise, job.found.path, job.data)
    except Exception:
        return Code("", "")


def _finished(job: Job, report: Report, code: Code | None = None) -> Finished:
    return Finished(report, report_to_html(report, job.settings.language), report_to_json(report), code)


def run_job(job: Job) -> Report:
    """Read and grade one submission; a fault of our own withholds its score and says so."""
    from autograder.grading.grade import (  # noqa: PLC0415 - torch is imported where grading is done, and only there
        grade,
    )

    submission = Submission(job.found.student, job.exercise.slug, "", "")
    _freeze_heap()
    if job.found.withheld:
        return _withheld(job, submission, job.found.problem)
    try:
        submission = read(job)
        return _believed(lambda: grade(job.exercise, submission, job.settings, job.secrets))
    except PtqlabError:
        raise  # the machine or the arguments are at fault, for every submission alike
    except Exception as error:
        return _withheld(job, submission, f"The grader itself failed: {type(error).__name__}: {error}")


def _believed(grade: Callable[[], Report]) -> Report:
    """The report of a grading in which nothing crashed, or that agrees with another one on what did.

    A worker that was killed from outside (memory ran out, an operator) looks like one that the student's code ended.
    """
    seen: list[object] = []
    for _ in range(TRIES + 1):
        report = grade()
        statuses = [(test.test, test.status) for task in report.tasks for test in task.tests]
        if Status.CRASHED not in (status for _, status in statuses) or statuses in seen:
            break
        seen.append(statuses)
    return report


@cache
def _freeze_heap() -> None:
    """Once a process: the million objects that importing torch makes live as long as it; the collector skips them."""
    gc.collect()
    gc.freeze()


def read(job: Job) -> Submission:
    """What the student handed in; a file that is not there is a submission with a problem."""
    if job.found.path is None:
        return Submission(job.found.student, job.exercise.slug, "", "", problem=job.found.problem)
    stubs = _stubs(job.exercise.folder, job.exercise)
    return read_submission(job.found.path, job.exercise, job.found.student, stubs, job.data)


_STUBS: dict[Path, tuple[str, ...]] = {}


def _stubs(folder: Path, exercise: Exercise) -> tuple[str, ...]:
    if folder not in _STUBS:
        _STUBS[folder] = stub_code(exercise)
    return _STUBS[folder]


def _withheld(job: Job, submission: Submission, reason: str) -> Report:
    made_with = provenance(job.exercise, job.settings.seed, job.settings.device, "not run")
    return unscored(job.exercise, submission, "withheld", reason, made_with)


def _spread(
    pool: Executor, todo: Sequence[Job], indices: Sequence[int], elsewhere: bool
) -> Iterator[tuple[int, Finished]]:
    """Hand out submissions; reports come as they are ready. Who kills the grading process twice gets no third one."""
    waiting: dict[Future[Finished], int] = {}
    ready: queue.SimpleQueue[Future[Finished]] = queue.SimpleQueue()

    def hand_out(index: int) -> None:
        future = pool.submit(finish_job, _packed(todo[index]) if elsewhere else todo[index])
        waiting[future] = index
        future.add_done_callback(ready.put)

    left = iter(indices)
    for index in islice(left, MOST_HANDED_OUT):
        hand_out(index)
    tries = Counter(indices)
    try:
        while waiting:
            future = ready.get()
            index = waiting.pop(future)
            try:
                finished = future.result()
            except GraderDiedError as died:
                if tries[index] < TRIES and not isinstance(died, GraderGivenUpError):
                    tries[index] += 1
                    hand_out(index)
                    continue
                finished = _finished(todo[index], _lost(todo[index]))
            for following in islice(left, 1):
                hand_out(following)
            yield index, _compared(todo[index], finished) if elsewhere else finished
    finally:
        for future in waiting:  # after an error or Ctrl-C; the pool is its owner's to end
            future.cancel()


def _packed(job: Job) -> Job:
    """The job with its file's content; what can't be read is a problem here, and not another one elsewhere."""
    if job.found.path is None:
        return job
    try:
        return replace(job, data=read_bytes(job.found.path))
    except UnreadableError as error:
        return replace(job, found=replace(job.found, path=None, problem=str(error)))


def _compared(job: Job, finished: Finished) -> Finished:
    """What another machine says, if it has our kit and our tests; else nothing that we would sign."""
    report, theirs = finished.report, finished.report.provenance
    ours = provenance(job.exercise, theirs.seed, theirs.device, theirs.isolation)
    if ours == theirs:
        return finished
    version = f"version of ptqlab ({theirs.kit_version}, not {ours.kit_version})"
    differs = "exercise, data or torch" if theirs.kit_version == ours.kit_version else version
    reason = f"The machine that graded it has another {differs}; install the same there, and grade again."
    return _finished(job, _withheld(job, Submission(report.student, report.exercise, "", ""), reason))


def _lost(job: Job) -> Report:
    reason = "The grading process died each time that this submission was graded."
    return _withheld(job, Submission(job.found.student, job.found.exercise, "", ""), reason)


def report_path(out: Path, found: Found) -> Path:
    """Where a submission's report lies: DIR/<student>/<exercise>.json."""
    return out / file_name(found.student) / f"{found.exercise}.json"


def _write(finished: Finished, path: Path) -> None:
    """Write the JSON and the HTML page beside it, each whole or not at all; the JSON last, as the sign of done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".html"), finished.page)
    write_atomically(path, finished.record)


def _already_graded(job: Job, out: Path) -> Report | None:
    path = report_path(out, job.found)
    try:
        report = report_from_json(path.read_text(encoding="utf-8"))
        submission = read(job)
    except Exception:  # whatever is wrong with it is said by who grades it anew
        return None
    same = (
        report.submission_sha256 == submission.sha256 != ""
        and report.outcomes_sha256 == outcomes_sha256(job.exercise)
        and report.seed == job.settings.seed
        and report.status in ("graded", "partial")
        and (report.isolation == "none") == (job.settings.isolation == "none")
    )
    return report if same else None


def all_reports(out: Path, known: Mapping[Path, Report] = MappingProxyType({})) -> list[tuple[Path, Report]]:
    """Every report below a folder of grades, with its path; a damaged one is a PtqlabError that names it.

    `known` are those that need not be read again: what is written is read as it was.
    """
    return [
        (path, known.get(path) or report_from_json(path.read_text(encoding="utf-8")))
        for path in sorted(out.glob("*/*.json"))
    ]


def rescore_folder(out: Path, exercises: Sequence[Exercise]) -> list[Report]:
    """Apply the present points to every stored report; no test is run."""
    by_slug = {exercise.slug: exercise for exercise in exercises}
    language = "zh-TW" if kept_settings(out).get("language") == "zh-TW" else "en"
    reports = []
    for path, report in all_reports(out):
        if report.exercise not in by_slug:
            raise PtqlabError(
                f"{path} is about {report.exercise}, which is not among this course's exercises; move it away."
            )
        new = _rescored(report, by_slug[report.exercise])
        write_atomically(path.with_suffix(".html"), report_to_html(new, language))
        write_atomically(path, report_to_json(new))
        reports.append(new)
    write_atomically(out / "scores.csv", scores_csv(reports, exercises))
    return reports


def _rescored(report: Report, exercise: Exercise) -> Report:
    return rescore(exercise, report, outcomes_sha256(exercise), points_sha256(exercise))
