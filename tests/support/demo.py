"""Write the demo class: one lab 01 notebook a student, each named after what it shows. Used by `make demo` and the tests.

python tests/support/demo.py FOLDER
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from autograder.course.sources import read_cells, stub

SLUG = "01_basic_quantization"
ROOT = Path(__file__).resolve().parents[2]
SOLUTION = ROOT / "solutions" / SLUG
Cells = list[str]


def reference() -> Cells:
    """The code cells of the reference notebook."""
    return [cell.text for cell in read_cells(SOLUTION / "source.py") if cell.kind == "code"]


def untouched() -> Cells:
    """The code cells as students get them."""
    return [stub(cell, {}) for cell in reference()]


def half_done() -> Cells:
    """The first tasks solved, from 1.5 on untouched."""
    whole = reference()
    first = next(i for i, cell in enumerate(whole) if "def per_channel_quantization" in cell)
    return whole[:first] + [stub(cell, {}) for cell in whole[first:]]


def mistake(name: str) -> Callable[[], Cells]:
    """The reference with one of the exercise's mutants defined after it."""
    return lambda: [*reference(), (SOLUTION / "mutants" / f"{name}.py").read_text(encoding="utf-8")]


def replaced(function: str, body: str) -> Callable[[], Cells]:
    """The reference with one function's body replaced."""
    return lambda: [*reference(), f"def {function}(*args, **kwargs):\n    {body}\n"]


def syntax_error() -> Cells:
    """The cell of task 1.2 lacks a bracket."""
    broken = re.compile(r"^(def asymmetric_quantization\(.*)\):$", re.MULTILINE)
    return [broken.sub(r"\1:", cell) for cell in reference()]


def looks_for_solutions() -> Cells:
    """Opens whatever file of solutions it can find and runs it."""
    hunt = (
        "import glob\n"
        "for place in ('/', '..', '../..', '/work', '/home'):\n"
        "    for path in glob.glob(place + '/**/solutions/**/source.py', recursive=True):\n"
        "        exec(open(path).read())\n"
    )
    return [*untouched(), hunt]


def patched_allclose() -> Cells:
    """Makes every comparison in its own process succeed, and returns constants."""
    patch = (
        "torch.allclose = torch.equal = lambda *a, **k: True\n"
        "torch.testing.assert_close = lambda *a, **k: None\n"
        "def symmetric_quantization(tensor, bits=8):\n    return torch.zeros_like(tensor), torch.tensor(1.0)\n"
    )
    return [*untouched(), patch]


CLASS: dict[str, Callable[[], Cells]] = {
    "perfect": reference,
    "untouched": untouched,
    "half_done": half_done,
    "syntax_error": syntax_error,
    "endless_loop": replaced("group_quantization", "while True: pass"),
    "exits_with_0": replaced("dequantize", "import os; os._exit(0)"),
    "patched_allclose": patched_allclose,
    "looks_for_solutions": looks_for_solutions,
    "raises_everywhere": lambda: [
        *reference(),
        *(
            f"def {name}(*args, **kwargs):\n    raise ValueError('no')"
            for name in (
                "symmetric_quantization",
                "asymmetric_quantization",
                "dequantize",
                "BasicQuantizer",
                "per_channel_quantization",
                "group_quantization",
                "pack_int4",
                "unpack_int4",
                "compute_sqnr",
                "compute_cosine_sim",
                "compute_kl_div",
            )
        ),
    ],
}


def mistakes() -> dict[str, Callable[[], Cells]]:
    """One mutant of each task: the mistakes that students make."""
    chosen: dict[str, Callable[[], Cells]] = {}
    tasks: set[str] = set()
    for path in sorted((SOLUTION / "mutants").glob("*.py")):
        lost = re.search(r"^# loses: *(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if lost and lost[1] not in tasks:
            tasks.add(lost[1])
            chosen[path.stem] = mistake(path.stem)
    return chosen


def notebook(cells: Cells) -> str:
    """A notebook's JSON with these code cells; its ids are counted, so that it is the same every time."""
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    book.cells = [nbformat.v4.new_code_cell(text, id=f"cell-{i}") for i, text in enumerate(cells)]
    return str(nbformat.writes(book))


def write(folder: Path) -> list[Path]:
    """Write the class as a flat folder of <student>.ipynb; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for student, cells in (CLASS | mistakes()).items():
        path = folder / f"{student}.ipynb"
        path.write_text(notebook(cells()), encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    print(f"wrote {len(write(Path(sys.argv[1])))} notebooks to {sys.argv[1]}")
