"""The same round trip with the gradebook on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.proof  # on SQLite test_nbgrader.py shows the same on every landing


def test_six_students_get_the_scores_of_ptqlab_grade_and_a_manual_score_stays(
    make_course: Callable[..., Any], postgresql: str, kit: Any
) -> None:
    course = make_course("pg")
    course.configure(f"c.CourseDirectory.db_url = {postgresql!r}")
    course("generate_assignment", course.slug)
    through_the_exchange(course, kit)
    course("autograde", course.slug)
    scores = course.scores(postgresql)
    assert len(scores) == 6
    assert not (course.root / "gradebook.db").exists()
    assert scores == course.regraded(url=postgresql)
    regrade(course, postgresql, kit)
    assert {name: sum(score.values()) for name, score in scores.items()} == {
        "perfect": 9.0,
        "half_done": 4.0,
        "mistaken": 5.4,
        "untouched": 0.0,
        "late": 7.0,
        "noisy": 9.0,
    }


def through_the_exchange(course: Any, kit: Any) -> None:
    course("release_assignment", course.slug)
    for student, answers in kit.CLASS.items():
        course.send(student, course.answered(*answers), "2030-01-10 11:00:00.000000 UTC")
    course("collect", course.slug)


def regrade(course: Any, postgresql: str, kit: Any) -> None:
    """A manual score outlives a new submission, and stands in feedback and export."""

    def by_hand(book: Any) -> None:
        book.find_grade("task-1-1", course.slug, course.slug, "mistaken").manual_score = 3.5
        book.db.commit()

    course.gradebook(by_hand, postgresql)
    course.hand_in("mistaken", course.answered(kit.DOUBLE, kit.COUNTER))
    course("autograde", course.slug, "--student", "mistaken", "--force")
    course("generate_feedback", course.slug, "--student", "mistaken")
    course("export", "--to", course.root / "nbgrader.csv")
    rows = (course.root / "nbgrader.csv").read_text(encoding="utf-8").splitlines()
    assert course.scores(postgresql)["mistaken"] == {"task-1-1": 4.0, "task-1-2": 3.0, "task-1-3": 0.0}
    assert next(row for row in rows if '"mistaken"' in row).endswith(',"6.5","0.0","6.5","7.0"')
    assert "Score: 6.5 / 7.0" in (
        course.root / "feedback" / "mistaken" / course.slug / f"{course.slug}.html"
    ).read_text(encoding="utf-8")
