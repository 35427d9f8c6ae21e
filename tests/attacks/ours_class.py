"""What is handed in, against the real grader: archives.opened, find_submissions, grade_class, as `ptqlab grade` does it.

Each attack is graded in a class with an honest neighbour, by grading processes of the fork server. Prints JSON.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ESCAPE, SCRIPT, Attack, Target, read_built
from small import SLUG, handed_to_the_grader, make_class, make_course

from autograder.course.catalog import load_exercise
from autograder.grading.archives import opened
from autograder.grading.assignment import assignment_seed
from autograder.grading.batch import grade_class
from autograder.grading.class_report import write_class_report
from autograder.grading.intake import find_submissions
from autograder.pool.executor import GraderPool
from autograder.records import Exercise, Report, Settings
from autograder.report.to_html import report_to_html
from autograder.report.to_json import report_to_json

SETTINGS = Settings(seed=20260)


def grade(base: Path, exercise: Exercise, pool: GraderPool) -> dict[str, Report]:
    """The class's reports by student."""
    with opened(handed_to_the_grader(base)) as view:
        found = find_submissions(view.root, [exercise], SLUG, view.refused).rows
        out = base.parent / "out" / base.name
        assignment_seed(out, SETTINGS.seed)
        reports = grade_class(found, [exercise], SETTINGS, out, root=view.root, pool=pool)
        write_class_report(out, [exercise], found)
    assert len({report.student for report in reports}) == len(reports)
    return {report.student: report for report in reports}


def facts(report: Report) -> str:
    """A report without what a clock decides."""
    return re.sub(r'"duration_s": [\d.e-]+', "", report_to_json(report))


def hand_in(attack: Attack, base: Path, target: Target) -> None:
    """Have the attack make its submission, in eve's folder or wherever an archive of hers would lie."""
    scope: dict[str, Any] = {"__name__": attack.name}
    exec(compile(attack.aimed(target), attack.name, "exec"), scope)
    scope["hand_in"](make_class(base))


def grade_attack(
    attack: Attack, base: Path, exercise: Exercise, pool: GraderPool, target: Target, alone: str
) -> dict[str, Any]:
    base.mkdir()
    hand_in(attack, base, target)
    target.folders = (base, base / "class" / "honest", base.parent)
    (base.parent / "out").mkdir(exist_ok=True)
    target.seen = target._names()
    try:
        reports = grade(base, exercise, pool)
    except Exception as error:
        return {"points": 0.0, "hits": ["no report"], "status": f"{type(error).__name__}: {error}"}
    hits = target.hits()
    hits |= {"neighbour"} if "honest" not in reports or facts(reports.pop("honest")) != alone else set()
    points = max((report.earned or 0.0 for report in reports.values()), default=0.0)
    pages = "".join(report_to_html(report) for report in reports.values())
    hits |= {"points"} if points else set()
    hits |= {"markup"} if SCRIPT in pages or ESCAPE in pages else set()
    said = [f"{report.student}: {report.status}: {report.reason}" for report in reports.values()]
    return {"points": points, "hits": sorted(hits), "status": said}


def main(names: Sequence[str]) -> None:
    """Grade what the attacks hand in, all or those named, and print what came of each as JSON."""
    with tempfile.TemporaryDirectory() as parent, Target() as target, GraderPool(1) as pool:
        make_course(Path(parent, "course"))
        exercise = load_exercise(Path(parent, "course", "exercises", SLUG), Path(parent, "course", "solutions"))
        (Path(parent) / "alone").mkdir()
        make_class(Path(parent, "alone")).rmdir()
        report = grade(Path(parent, "alone"), exercise, pool)["honest"]
        assert report.earned == 2.0, report
        alone = facts(report)
        results = {
            a.name: grade_attack(a, Path(parent, a.name), exercise, pool, target, alone) for a in read_built(names)
        }
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
