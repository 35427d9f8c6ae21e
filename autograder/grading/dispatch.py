"""Jobs handed out to an executor; finished ones come back as they are ready, each exactly once.

Only `concurrent.futures.Executor` is known here: grading processes of this machine and of a cluster look alike.
"""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from itertools import islice

from autograder.course.fingerprint import provenance
from autograder.grading.job import Finished, Job, finish_job, finished, withheld
from autograder.pool.executor import GraderDiedError, GraderGivenUpError
from autograder.submission.notebook import UnreadableError
from autograder.submission.recognition import opened

MOST_TRIES = 2  # a submission whose grading process died is tried once more
MOST_HANDED_OUT = 2048  # submissions at a time; on a cluster their files wait in the scheduler's memory


def dispatch(executor: Executor, jobs: Mapping[int, Job], elsewhere: bool) -> Iterator[tuple[int, Finished]]:
    """Hand out jobs and yield what each returns, under its number. A job that kills its grader twice is withheld.

    `elsewhere`: the executor's grading processes may be on other machines. They get the files' content, and the kit and
    the tests that they graded with are compared with ours.
    A submission of several is given back when a call runs out of time, and is graded after those that wait behind it.
    """
    pending: dict[Future[Finished | None], int] = {}
    ready: queue.SimpleQueue[Future[Finished | None]] = queue.SimpleQueue()
    deaths: Counter[int] = Counter()

    def hand_out(number: int, patient: bool = len(jobs) == 1) -> None:
        job = replace(jobs[number], patient=patient)
        future = executor.submit(finish_job, _with_content(job) if elsewhere else job)
        pending[future] = number
        future.add_done_callback(ready.put)

    numbers = iter(jobs)
    for number in islice(numbers, MOST_HANDED_OUT):
        hand_out(number)
    try:
        while pending:
            future = ready.get()
            number = pending.pop(future)
            deaths[number] += isinstance(future.exception(), GraderDiedError)
            result = _result(future, jobs[number], is_last=deaths[number] >= MOST_TRIES)
            if (
                result is None
            ):  # an executor's queue is first in, first out: this one waits for all that were handed out
                hand_out(number, patient=True)
                continue
            for next_number in islice(numbers, 1):
                hand_out(next_number)
            yield number, _believed(jobs[number], result) if elsewhere else result
    finally:
        for future in pending:  # after an error or Ctrl-C; the executor is its owner's to end
            future.cancel()


def _result(future: Future[Finished | None], job: Job, is_last: bool) -> Finished | None:
    """Return what a job has come to; None when it is to be tried again: its grading process died, or it hangs."""
    try:
        return future.result()
    except GraderDiedError as died:
        if not is_last and not isinstance(died, GraderGivenUpError):
            return None
        return finished(job, withheld(job, "The grading process died each time that this submission was graded."))


def _with_content(job: Job) -> Job:
    """Return the job with its file's content. A file that can't be read is a problem here, as it would be elsewhere."""
    if job.file.path is None:
        return job
    try:
        with opened(job.file.path) as content:
            return replace(job, data=content.read())
    except (UnreadableError, OSError) as error:
        return replace(job, file=replace(job.file, path=None, problem=str(error)))


def _believed(job: Job, result: Finished) -> Finished:
    """Return the result of another machine, withheld when that machine has another kit or other tests."""
    theirs = result.report.provenance
    ours = provenance(job.exercise, theirs.seed, theirs.device, theirs.isolation)
    if ours == theirs:
        return result
    version = f"version of ptqlab ({theirs.kit_version}, not {ours.kit_version})"
    differs = "exercise, data or torch" if theirs.kit_version == ours.kit_version else version
    reason = f"The machine that graded it has another {differs}; install the same there, and grade again."
    return finished(job, withheld(job, reason))
