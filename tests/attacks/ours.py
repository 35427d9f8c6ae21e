"""The bank against the real grader, as `ptqlab grade` has it: a grading process of the fork server, run_job, the reports.

All attacks are graded in one grading process, as a class is. What counts as a win is looked for after each of them, all
ways and not only the one that the attack is after. Prints JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ESCAPE, INPUT, ROOT, SCRIPT, SECRET, Attack, Target, children_of, read_bank
from rich.console import Console

from autograder.course.catalog import load_exercise
from autograder.grading.found import Found
from autograder.grading.grade import grade
from autograder.grading.job import Job, run_job
from autograder.pool import grader_main
from autograder.pool.executor import GraderPool
from autograder.records import Exercise, Limits, Report, Settings, Submission
from autograder.report.terminal import print_scoreboard, scoreboard_lines
from autograder.report.to_csv import scores_csv
from autograder.report.to_html import report_to_html
from autograder.report.to_json import report_to_json
from autograder.runtime.memory import anonymous_mb
from autograder.sandbox.worker import zygote
from autograder.submission.reader import read_submission

SLUG = "01_basic_quantization"
SETTINGS = Settings(seed=20260)
STAYS_S = 60.0  # one that is about to end needs so long on the busiest machine
KEPT_MB = (
    16.0  # of memory, more than which the grading process does not keep of an attack; the largest frame leaves 12, once
)


def limits(attack: Attack) -> Limits:
    return Limits(call_cpu_s=attack.cpu_s, submission_cpu_s=20 * attack.cpu_s, memory_mb=600, scratch_mb=8, reply_mb=8)


def reports(file: Path, exercise: Exercise, attack: Attack) -> Iterator[tuple[Submission, Report]]:
    """The attack as it is read; and whole, where reading leaves out part of it: the jail must hold without that."""
    secrets = (str(file.parent),)
    read = read_submission(file, exercise, attack.name)
    yield read, run_job(Job(Found(attack.name, SLUG, file), exercise, SETTINGS, secrets))
    if read.notes or read.problem:
        text = file.read_text(encoding="utf-8")
        whole = Submission(attack.name, SLUG, text, hashlib.sha256(text.encode()).hexdigest())
        yield whole, grade(exercise, whole, SETTINGS, secrets)


def grade_attack(attack: Attack, folder: Path, exercise: Exercise, target: Target) -> dict[str, Any]:
    """Points, status, ways of winning and what went wrong while it was loaded, over the forms of the attack."""
    file = folder / f"{attack.name}.py"
    file.write_text(attack.aimed(target), encoding="utf-8")
    exercise = replace(exercise, limits=limits(attack))
    target.seen = target._names()
    earned, statuses, hits, problems = 0.0, [], set(), []
    memory_mb = settled_mb()
    for submission, report in reports(file, exercise, attack):
        hits |= won_in(report) | target.hits() | ({"process"} if is_left() else set())
        hits |= {"no report"} if report.earned is None else set()
        earned = max(earned, report.earned or 0.0)
        statuses.append(f"{report.status}: {report.reason}" if report.reason else report.status)
        problems += [note for note in report.notes if note not in submission.notes]
        isolation = report.isolation
    hits |= {"points"} if earned else set()
    hits |= {"memory"} if settled_mb() > memory_mb + KEPT_MB else set()
    return {"points": earned, "hits": sorted(hits), "status": statuses, "isolation": isolation, "problems": problems}


def settled_mb() -> float:
    """This grading process's own memory, as it is between two submissions."""
    grader_main.freeze_heap()
    return anonymous_mb() or 0.0


def is_left() -> bool:
    """Whether a process of the worker stays."""
    deadline = time.monotonic() + STAYS_S
    while list(children_of(zygote().process.pid)):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


def won_in(report: Report) -> set[str]:
    """What the report itself gives away: secrets anywhere, a hidden test's inputs, markup that would run."""
    hidden = [test for task in report.tasks for test in task.tests if test.hidden]
    unseen = (
        json.dumps([(test.message, test.claim) for test in hidden], ensure_ascii=False)
        + repr(report.notes)
        + report.reason
    )
    page, record = report_to_html(report), report_to_json(report)
    console = Console(file=io.StringIO(), force_terminal=False, width=120)
    print_scoreboard([report], console)
    shown = "\n".join([console.file.getvalue(), *scoreboard_lines([report]), scores_csv([report], [])])  # type: ignore[attr-defined]
    hits = set()
    if SECRET.search(record) or INPUT.search(unseen):
        hits.add("leak")
    if SCRIPT in page or ESCAPE in page + shown or SCRIPT in shown:
        hits.add("markup")
    return hits


def grade_bank(names: Sequence[str]) -> dict[str, Any]:
    """In the grading process: what came of each attack, or of those named."""
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    with tempfile.TemporaryDirectory() as parent:
        os.chdir(parent)
        folder = Path(parent, "submissions")
        folder.mkdir()
        (folder / "other.py").write_text("# another student's work\n")
        watched = (Path(parent), exercise.folder, ROOT / "solutions" / SLUG)
        with Target(watched) as target:
            warm = read_submission(ROOT / "solutions" / SLUG / "source.py", exercise, "reference")
            grade(exercise, warm, SETTINGS)  # what is made once is made before it is measured
            return {a.name: grade_attack(a, folder, exercise, target) for a in read_bank(names)}


def main(names: Sequence[str]) -> None:
    """Grade the bank, or the attacks named, and print what came of each as JSON."""
    import ours  # as a grading process knows it

    os.environ["GRADER_TOKEN"] = "of the grader"
    with GraderPool(1) as graders:
        results = graders.submit(ours.grade_bank, names).result()
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
