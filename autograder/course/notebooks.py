"""One source -> the notebooks of both languages, and the reference notebook."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.course.catalog import LANGUAGES, load_exercise
from autograder.course.sources import SourceCell, read_cells, stub
from autograder.records import PtqlabError

_WIDE = r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"


_WIDE_BREAK = re.compile(rf"(?<={_WIDE})\n *(?={_WIDE})")  # a line break in Chinese would show as a blank


def build(exercises: Path, solutions: Path, *, check: bool = False) -> list[Path]:
    """Write the notebooks of every `solutions/*/source.py`; returns those that changed.

    With `check` nothing is written, and a notebook that would change is a PtqlabError.
    """
    wanted: dict[Path, str] = {}
    for source in sorted(solutions.glob("*/source.py")):
        wanted |= notebooks(source, exercises / source.parent.name)
    changed = [path for path, text in wanted.items() if not path.is_file() or _read(path) != text]
    if check and changed:
        names = ", ".join(path.relative_to(exercises.parent).as_posix() for path in changed)
        raise PtqlabError(f"{names} {'is' if len(changed) == 1 else 'are'} stale. Run `ptqlab build`.")
    for path in changed:
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    return changed


def notebooks(source: Path, folder: Path) -> dict[Path, str]:
    """The notebooks that `source` stands for: path in `folder` -> JSON text, the same on every machine."""
    cells, tasks = read_cells(source), _graded(folder)
    stems = {language: folder.name + ("" if language == "en" else f".{language}") for language in LANGUAGES}
    return {folder / f"{stem}.ipynb": _notebook(cells, tasks, language) for language, stem in stems.items()}


def reference_notebook(source: Path, language: str) -> str:
    """The notebook with the reference answers left in, as JSON text. Never write it under exercises/."""
    return _notebook(read_cells(source), None, language)


def _graded(folder: Path) -> dict[str, str]:
    """Graded name -> id of its task."""
    return {name: task.id for task in load_exercise(folder).tasks for name in task.functions}


def _notebook(cells: Sequence[SourceCell], tasks: Mapping[str, str] | None, language: str) -> str:
    """JSON text (nbformat 4.5) of the notebook in one language; `tasks` None leaves the solutions in."""
    seen: Counter[str] = Counter()
    made: list[dict[str, Any]] = []
    for cell in cells:
        if cell.language not in ("", language):
            continue
        text = _shown(cell, tasks)
        extra: dict[str, Any] = {"execution_count": None, "outputs": []} if cell.kind == "code" else {}
        identity = {"cell_type": cell.kind, "id": _cell_id(text, tasks or {}, seen), "metadata": {}}
        made.append({**identity, **extra, "source": text.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _shown(cell: SourceCell, tasks: Mapping[str, str] | None) -> str:
    if cell.kind != "code":
        return _WIDE_BREAK.sub("", cell.text)
    return cell.text if tasks is None else stub(cell.text, tasks)


def _cell_id(text: str, tasks: Mapping[str, str], seen: Counter[str]) -> str:
    """`task-1-1` where a graded name is defined, otherwise from the text: stable when cells are inserted."""
    graded = next((tasks[name] for name in tasks if re.search(rf"^(def|class) {name}\b", text, re.M)), None)
    name = f"task-{graded.replace('.', '-')}" if graded else hashlib.sha256(text.encode()).hexdigest()[:12]
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
