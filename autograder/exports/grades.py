"""What is exported: one student's points in one exercise, from ptqlab's reports or from nbgrader's gradebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.exports.nbgrader import CONFIG, GRADES
from autograder.records import Exercise, PtqlabError, Report
from autograder.report.to_json import report_from_json


@dataclass(frozen=True)
class Grade:
    """`points` is None where there is no score yet: it was withheld, or a person has not read an answer."""

    student: str
    exercise: str
    points: float | None
    possible: float


def read_grades(source: Path, exercises: Sequence[Exercise]) -> tuple[Grade, ...]:
    """The grades of these exercises, by student: from a folder that `ptqlab grade` wrote, or an nbgrader folder.

    nbgrader's grades hold manual scores, extra credit and late penalties. Raises PtqlabError when there
    are none.
    """
    slugs = [exercise.slug for exercise in exercises]
    found = _from_gradebook(source) if (source / CONFIG).is_file() else _from_reports(source)
    kept = sorted((g for g in found if g.exercise in slugs), key=lambda g: (slugs.index(g.exercise), g.student))
    if not kept:
        expected = "Expected the --out folder of `ptqlab grade`, or an nbgrader folder after `nbgrader autograde`"
        raise PtqlabError(f"{expected}, but {source} holds no grade for {', '.join(slugs)}.")
    return tuple(kept)


def summary(grades: Sequence[Grade], left_out: Mapping[str, str], without_grade: Sequence[str]) -> list[str]:
    """Return sentences on whom a table leaves out and why, and whom it gives 0."""
    reasons = {reason: [name for name in left_out if left_out[name] == reason] for reason in left_out.values()}
    kept = [grade for grade in grades if grade.student not in left_out]
    of_grades = {
        "No points yet (the score is withheld, or for a person to give)": None,
        "Given 0 points": 0.0,
    }
    named = {
        **{f"Left out of the table ({reason})": names for reason, names in reasons.items()},
        **{
            sentence: [f"{grade.student} in {grade.exercise}" for grade in kept if grade.points == points]
            for sentence, points in of_grades.items()
        },
        "In the roster, and nothing handed in": without_grade,
    }
    return [f"{sentence}: {', '.join(names)}." for sentence, names in named.items() if names]


def read_reports(source: Path) -> tuple[Report, ...]:
    """Every report in a folder that `ptqlab grade` wrote. Raises PtqlabError for an nbgrader folder."""
    if (source / CONFIG).is_file():
        reports = source / GRADES
        raise PtqlabError(
            f"Expected reports, which hold no manual scores, but {source} is an nbgrader folder; if the automatic "
            f"scores are what you want, give {reports}."
        )
    return tuple(report_from_json(path.read_text(encoding="utf-8")) for path in sorted(source.glob("*/*.json")))


def _from_reports(source: Path) -> list[Grade]:
    return [Grade(report.student, report.exercise, report.earned, report.possible) for report in read_reports(source)]


def _from_gradebook(folder: Path) -> list[Grade]:
    from nbgrader.api import Gradebook  # noqa: PLC0415 - a package of instructors who use it

    with Gradebook(_database(folder)) as book:
        return [
            _grade(submission)
            for assignment in book.assignments
            for submission in book.assignment_submissions(assignment.name)
        ]


def _database(folder: Path) -> str:
    """The gradebook's address, as nbgrader's own commands find it in the folder's settings."""
    from nbgrader.coursedir import CourseDirectory  # noqa: PLC0415
    from traitlets.config.loader import PyFileConfigLoader  # noqa: PLC0415

    config = PyFileConfigLoader(CONFIG, path=str(folder.resolve())).load_config()
    return str(CourseDirectory(config=config).db_url)


def _grade(submission: Any) -> Grade:
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    open_ = any(grade.auto_score is None and grade.manual_score is None for grade in grades)
    points = max(0.0, submission.score - (submission.late_submission_penalty or 0.0))
    name = submission.assignment.name
    return Grade(submission.student.id, name, None if open_ else round(points, 2), float(submission.max_score))
