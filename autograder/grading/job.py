"""One submission of a class: the job that a grading process gets, and what it returns.

Whatever goes wrong with one submission is that submission's report; only what every submission would meet (a mistake in
the arguments, a machine that can't grade) is raised.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass

from autograder.course.fingerprint import provenance
from autograder.grading.code_fingerprint import Code, code_of
from autograder.grading.found import Found
from autograder.records import Exercise, PtqlabError, Report, Settings, Status, Submission
from autograder.report.to_html import report_to_html
from autograder.report.to_json import report_to_json
from autograder.runtime.process_state import STATE
from autograder.scoring import unscored
from autograder.submission.reader import submission_of
from autograder.submission.record import Record

MOST_GRADINGS = 3  # of a submission with a crash, until two of them agree


@dataclass(frozen=True)
class Job:
    """One submission to grade, complete enough to be sent to another process."""

    file: Found
    exercise: Exercise
    settings: Settings
    secrets: tuple[str, ...]  # paths that the student's code must not be able to read
    patient: bool = True  # False: given back after the first call that runs out of time
    data: bytes | None = None  # the file's content, where the grading process may be on another machine


@dataclass(frozen=True)
class Finished:
    """A graded job: the report, the report as an HTML page and as JSON, and the code as it is compared."""

    report: Report
    page: str
    record: str
    code: Code | None = None


def finish_job(job: Job) -> Finished | None:
    """Grade one submission, and make the files that are written of it; None where it has to be graded later."""
    from autograder.grading.grade import HangingError  # noqa: PLC0415 - imports torch, as in `grade_record`

    record = job.file.read(job.exercise, job.data)
    try:
        return finished(job, grade_record(job, record), code_of(record) if job.file.path else None)
    except HangingError:
        return None


def finished(job: Job, report: Report, code: Code | None = None) -> Finished:
    """Make the files that are written of a report."""
    return Finished(report, report_to_html(report, job.settings.language), report_to_json(report), code)


def run_job(job: Job) -> Report:
    """Read and grade one submission."""
    return grade_record(job, job.file.read(job.exercise, job.data))


def grade_record(job: Job, record: Record) -> Report:
    """Grade a submission that has been read; a fault of our own withholds its score and says so."""
    from autograder.grading.grade import HangingError, grade  # noqa: PLC0415 - imports torch, which only grading processes need

    _freeze_heap()
    if job.file.withheld:
        return withheld(job, job.file.problem)
    submission = submission_of(record, job.file.student, job.exercise.slug)
    if record.fault:
        return withheld(job, record.fault, submission)
    try:
        return _confirmed(lambda: grade(job.exercise, submission, job.settings, job.secrets, patient=job.patient))
    except (PtqlabError, HangingError):
        raise  # the machine or the arguments are at fault, for every submission alike
    except Exception as error:
        return withheld(job, f"The grader itself failed: {type(error).__name__}: {error}", submission)


def withheld(job: Job, reason: str, submission: Submission | None = None) -> Report:
    """Return a report without a score, which says why none is issued."""
    submission = submission or Submission(job.file.student, job.exercise.slug, "", "")
    made_with = provenance(job.exercise, job.settings.seed, job.settings.device, "not run")
    return unscored(job.exercise, submission, "withheld", reason, made_with)


def _confirmed(grade: Callable[[], Report]) -> Report:
    """Return the report of a grading in which nothing crashed, or that agrees with an earlier one on every status.

    A worker that was killed from outside (memory ran out, an operator) looks like one that the student's code ended.
    """
    earlier: list[object] = []
    for _ in range(MOST_GRADINGS):
        report = grade()
        statuses = [(test.test, test.status) for task in report.tasks for test in task.tests]
        if Status.CRASHED not in (status for _, status in statuses) or statuses in earlier:
            break
        earlier.append(statuses)
    return report


@STATE.keep(1)
def _freeze_heap() -> None:
    """Take the million objects that importing torch makes, which live as long as the process, from the collector."""
    gc.collect()
    gc.freeze()
