"""Changed points, applied to the stored outcomes of a class; no test is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograder.course.fingerprint import outcomes_sha256, points_sha256
from autograder.grading import store
from autograder.grading.assignment import kept_language
from autograder.records import Exercise, PtqlabError, Report
from autograder.report.to_html import report_to_html
from autograder.report.to_json import report_to_json
from autograder.scoring import rescore


def rescore_folder(out: Path, exercises: Sequence[Exercise]) -> list[Report]:
    """Apply the present points to every stored report, and write reports and scores.csv anew."""
    by_slug = {exercise.slug: exercise for exercise in exercises}
    language = kept_language(out)
    rescored: dict[Path, Report] = {}
    for path in store.report_paths(out):
        report = store.read_report(path)
        if report.exercise not in by_slug:
            raise PtqlabError(
                f"{path} is about {report.exercise}, which is not among this course's exercises; move it away."
            )
        rescored[path] = rescored_report(by_slug[report.exercise], report)
        store.write_report(path, report_to_json(rescored[path]), report_to_html(rescored[path], language))
    store.write_scores(out, exercises, rescored)
    return list(rescored.values())


def rescored_report(exercise: Exercise, report: Report) -> Report:
    """Return the report under the exercise's present points and shares."""
    return rescore(exercise, report, outcomes_sha256(exercise), points_sha256(exercise))
