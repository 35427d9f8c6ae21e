"""Write lab 01 as students write it: a notebook for each habit in habits/, every one a right answer in full.

    python tests/submissions/habits.py FOLDER

A habit's file holds percent cells. The notebook is the plain answer's setup, then these cells, then the plain
answer's cells for the tasks that none of them carries the number of. Header lines say what must become of it:
`# drops:` text that the slice must not hold, `# notes:` text that a note to the student must hold.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

HABITS = Path(__file__).parents[1] / "submissions" / "habits"
NAMES = tuple(sorted(path.stem for path in HABITS.glob("[!_]*.py")))
_CELL = re.compile(r"^# %% ?(.*)\n", re.MULTILINE)


def cells(name: str) -> list[str]:
    """The code cells of one habit's notebook, the whole of lab 01."""
    plain = dict(_titled("_plain"))
    own = _titled(name)
    titles = {title for title, _ in own}
    rest = [code for title, code in plain.items() if title not in titles and title != "setup"]
    return [plain["setup"], *(code for _, code in own), *rest]


def header(name: str, word: str) -> list[str]:
    """What follows `# word:` in a habit's file."""
    return re.findall(rf"^# {word}: (.*)$", (HABITS / f"{name}.py").read_text(encoding="utf-8"), re.MULTILINE)


def write(name: str, folder: Path) -> Path:
    """Write one habit's notebook into `folder`; returns its path."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source=code) for code in cells(name)])
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def _titled(name: str) -> list[tuple[str, str]]:
    """The percent cells of a file: (title, code)."""
    parts = _CELL.split((HABITS / f"{name}.py").read_text(encoding="utf-8"))
    return list(zip(parts[1::2], parts[2::2], strict=True))


if __name__ == "__main__":
    for habit in NAMES:
        print(write(habit, Path(sys.argv[1])))
