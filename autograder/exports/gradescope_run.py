"""What run_autograder starts in Gradescope's container: `python -m autograder.exports.gradescope_run /autograder`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from autograder.exports.gradescope import SETTINGS_FILE, results
from autograder.grading.choice import choose_notebook
from autograder.grading.found import Found
from autograder.records import Exercise, PtqlabError, Settings


def main() -> None:
    """Grade root/submission and write root/results/results.json; exit code 1 and no file when there is no score."""
    root = Path(sys.argv[1])
    target = root / "results" / "results.json"
    target.unlink(missing_ok=True)
    try:
        text = _graded(root)
    except PtqlabError as error:
        print(f"ptqlab: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _graded(root: Path) -> str:
    from autograder.course.catalog import find_exercises  # noqa: PLC0415
    from autograder.grading.job import Job, run_job  # noqa: PLC0415 - imports torch

    source = root / "source"
    kept = json.loads((source / SETTINGS_FILE).read_text(encoding="utf-8"))
    os.environ["PTQLAB_DATASETS"] = str(source / "datasets")
    exercise = find_exercises(source, source / "solutions")[0]
    settings = Settings(kept["seed"], isolation=kept["isolation"], language=kept["language"])
    found = submitted(root / "submission", exercise)
    report = run_job(Job(found, exercise, settings, (str(source), str(root / "results"))))
    return json.dumps(results(report, kept["hidden"], kept["language"]), ensure_ascii=False, indent=1) + "\n"


def submitted(folder: Path, exercise: Exercise) -> Found:
    """The one file that counts: of those named like the exercise, else of all notebooks and scripts in the folder."""
    files = [path for path in sorted(folder.glob("*")) if path.suffix in (".ipynb", ".py")]
    named = [path for path in files if path.name.split(".")[0] == exercise.slug]
    paths = named or files
    if not paths:
        return Found(
            "student", exercise.slug, None, f"Expected {exercise.slug}.ipynb, but no notebook came; upload it."
        )
    chosen = choose_notebook(paths, exercise)
    if isinstance(chosen, str):
        return Found("student", exercise.slug, None, chosen)
    return Found("student", exercise.slug, chosen)


if __name__ == "__main__":
    main()
