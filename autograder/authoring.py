"""What an author does: one source into two notebooks, the students' zip, a new exercise."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from autograder.model import PtqlabError
from autograder.sources import (
    Cell,
    leaks,
    read_cells,
    reference_source,
    solution_statements,
    stub,
    stub_source,
)

__all__ = ["build", "graded_tasks", "new", "reference_notebook", "reference_source", "release", "stub_source"]

LANGUAGES = {"en": "", "zh-TW": ".zh-TW"}
"""Language -> what stands between the slug and `.ipynb`."""

_WIDE = r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"
_WIDE_BREAK = re.compile(rf"(?<={_WIDE})\n(?={_WIDE})")  # a line break in Chinese would show as a blank
_LITTER = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".DS_Store"}


def graded_tasks(exercise: Path) -> dict[str, str]:
    """Graded name -> id of its task, from the `exercise.toml` in folder `exercise`."""
    toml = exercise / "exercise.toml"
    if not toml.is_file():
        raise PtqlabError(f"{toml} is missing: every exercise needs one. See `ptqlab new`.")
    tasks = tomllib.loads(toml.read_text(encoding="utf-8")).get("task", [])
    return {name: task["id"] for task in tasks for name in task["functions"]}



# --- notebooks ----------------------------------------------------------------------------------


def build(exercises: Path, solutions: Path, *, check: bool = False) -> list[Path]:
    """Write the notebooks of every `solutions/*/source.py`; returns those that changed.

    With `check` nothing is written, and a notebook that would change is a PtqlabError.
    """
    changed: list[Path] = []
    for source in sorted(solutions.glob("*/source.py")):
        folder = exercises / source.parent.name
        for path, text in notebooks(source, folder).items():
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            changed.append(path)
            if not check:
                path.write_text(text, encoding="utf-8", newline="\n")
    if check and changed:
        names = ", ".join(str(path.relative_to(exercises.parent)) for path in changed)
        raise PtqlabError(f"{names} {'is' if len(changed) == 1 else 'are'} stale. Run `ptqlab build`.")
    return changed


def notebooks(source: Path, folder: Path) -> dict[Path, str]:
    """The notebooks that `source` stands for, as path in `folder` -> JSON text; the same on every machine."""
    cells, tasks = read_cells(source), graded_tasks(folder)
    return {
        folder / f"{folder.name}{suffix}.ipynb": _notebook(cells, tasks, language)
        for language, suffix in LANGUAGES.items()
    }


def reference_notebook(source: Path, language: str) -> str:
    """The notebook with the reference answers left in, as JSON text. Never write it under exercises/."""
    return _notebook(read_cells(source), None, language)


def _notebook(cells: Sequence[Cell], tasks: Mapping[str, str] | None, language: str) -> str:
    """JSON text (nbformat 4.5) of the notebook in one language; `tasks` None leaves the solutions in."""
    seen: Counter[str] = Counter()
    made: list[dict[str, Any]] = []
    for cell in cells:
        if cell.language not in ("", language):
            continue
        text = _shown(cell, tasks)
        extra = {"execution_count": None, "outputs": []} if cell.kind == "code" else {}
        identity = {"cell_type": cell.kind, "id": _cell_id(text, tasks or {}, seen), "metadata": {}}
        made.append({**identity, "source": text.splitlines(keepends=True), **extra})
    notebook = {"cells": made, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _shown(cell: Cell, tasks: Mapping[str, str] | None) -> str:
    if cell.kind != "code":
        return _WIDE_BREAK.sub("", cell.text)
    return cell.text if tasks is None else stub(cell.text, tasks)


def _cell_id(text: str, tasks: Mapping[str, str], seen: Counter[str]) -> str:
    """`task-1-1` where a graded name is defined, otherwise from the text: stable when cells are inserted."""
    graded = next((tasks[name] for name in tasks if re.search(rf"^(def|class) {name}\b", text, re.M)), None)
    name = f"task-{graded.replace('.', '-')}" if graded else hashlib.sha256(text.encode()).hexdigest()[:12]
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
