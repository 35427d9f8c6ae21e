"""An otter-grader assignment that is equivalent to an exercise: the same notebooks, the same tests, the same points.

otter-grader is no dependency of the kit: `pip install otter-grader` beside it, and the comparison has two rows more.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import cost
import nbformat
from direct_tests import Verdicts

from autograder.records import Exercise

OTTER = Path(sys.executable).with_name("otter")
TEST_FILE = """
import sys
from otter.test_files import test_case

OK_FORMAT = False
name = {task!r}
points = {points!r}

@test_case(points={points!r})
def test_task(env):
    sys.path.insert(0, {helpers!r})
    import direct_tests
    direct_tests.check_in_cell({folder!r}, {solutions!r}, {task!r}, env, {verdicts!r})
"""


class OtterCourse:
    """One assignment below `root`, and what `otter run` makes of one notebook after the other."""

    def __init__(self, root: Path, exercise: Exercise, settings: Mapping[str, str]) -> None:
        self.root, self.exercise, self.settings = root, exercise, settings
        self.autograder, self.found = root / "autograder.zip", root / "verdicts"
        root.mkdir(parents=True)
        with zipfile.ZipFile(self.autograder, "w") as packed:
            packed.writestr("otter_config.json", json.dumps({"lang": "python"}))
            for task in exercise.tasks:
                text = TEST_FILE.format(
                    task=task.id,
                    points=task.points,
                    helpers=str(Path(__file__).parent),
                    folder=str(exercise.folder),
                    solutions=str(exercise.folder.parents[1] / "solutions"),
                    verdicts=str(self.found),
                )
                packed.writestr(f"tests/task_{task.id.replace('.', '_')}.py", text.lstrip())

    def hand_in(self, student: str, cells: list[str]) -> None:
        """Write a student's notebook, with the kernel that otter has to name."""
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata=kernel)
        (self.root / student).mkdir()
        nbformat.write(book, self.root / student / "lab.ipynb")

    def run(self, student: str) -> tuple[cost.Cost, Verdicts, float]:
        """Grade one notebook: its cost, each test's verdict, and the points."""
        shutil.rmtree(self.found, ignore_errors=True)
        self.found.mkdir()
        own = self.root / student
        command = [OTTER, "run", own / "lab.ipynb", "-a", self.autograder, "-o", own, "--no-logo"]
        spent, said = cost.run(command, self.root, self.settings)
        verdicts: Verdicts = {}
        for path in self.found.iterdir():
            verdicts |= json.loads(path.read_text(encoding="utf-8"))
        if not verdicts:
            raise SystemExit(f"expected otter to run the tests on {student}'s notebook, it said:\n{said[-3000:]}")
        results = json.loads((own / "results.json").read_text(encoding="utf-8"))
        return spent, verdicts, sum(test.get("score", 0.0) for test in results["tests"])
