"""How `nbgrader autograde` reads a submission: as plain text in cells, with the metadata that the gradebook knows.

Steps that `nbgrader.configure` puts into nbgrader's lists, in the order in which they run.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bleach import ALLOWED_TAGS  # type: ignore[import-untyped]
from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, List, Unicode

from autograder.exports.nbgrader import SCHEMA
from autograder.sandbox import reading
from autograder.submission.record import BookCell

Result = tuple[NotebookNode, Any]
CellsById = dict[str, tuple[dict[str, Any], Any]]  # a cell's id -> its metadata, the cell in the gradebook
_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
_CLAIMED = "ptqlab_grade_id"  # a cell's metadata until PtqlabRestore: the id that it claims to have in the gradebook


class PtqlabReader(NotebookExporter):
    """Reads any file, in a bounded child: what is no notebook becomes an empty one, and what is odd in one is left out.

    Of a cell its kind, its text and its id in the gradebook are taken; outputs and all other metadata are a student's
    to write and nobody's to read.
    """

    def from_file(self, file_stream: Any, resources: Any = None, **kw: Any) -> Result:
        """Read an open file, and run the preprocessors on it; of a link nothing is read."""
        record = reading.cells(Path(file_stream.name))
        if record.problem or record.fault:
            self.log.warning("The submission can't be shown: %s", record.problem or record.fault)
        book = new_notebook(cells=list(_plain_cells(record.cells)))
        read: Result = self.from_notebook_node(book, resources=resources, **kw)
        return read


def _plain_cells(cells: Sequence[BookCell]) -> Iterator[NotebookNode]:
    for number, cell in enumerate(cells):
        if cell.kind in _NEW:
            yield _NEW[cell.kind](cell.text, id=f"cell-{number}", metadata={_CLAIMED: cell.grade_id})


class PtqlabRestore(NbGraderPreprocessor):  # type: ignore[misc]
    """Gives every cell the metadata that the gradebook knows, and locked cells their text; adds what is missing."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> Result:
        """Of several cells with the same id the last one counts, as in nbgrader."""
        with Gradebook(resources["nbgrader"]["db_url"]) as gradebook:
            source = gradebook.find_notebook(resources["nbgrader"]["notebook"], resources["nbgrader"]["assignment"])
            known = {cell.name: (_metadata(cell, source), cell) for cell in source.source_cells}
            points = {cell.name for cell in (*source.grade_cells, *source.task_cells)}
            cells = [_restored(cell, known) for cell in reversed(nb.cells)][::-1]
            cells += [_restored(None, known, name) for name in list(known) if name in points]
        nb.cells = cells
        return nb, resources


def _metadata(cell: Any, source: Any) -> dict[str, Any]:
    """A cell's nbgrader metadata, from the gradebook alone."""
    points = {item.name: float(item.max_score) for item in (*source.grade_cells, *source.task_cells)}
    about = {
        "grade_id": cell.name,
        "grade": cell.name in {item.name for item in source.grade_cells},
        "solution": cell.name in {item.name for item in source.solution_cells},
        "task": cell.name in {item.name for item in source.task_cells},
        "locked": bool(cell.locked),
        "schema_version": SCHEMA,
        "cell_type": cell.cell_type,
        "checksum": cell.checksum,
    }
    return about | ({"points": points[cell.name]} if cell.name in points else {})


def _restored(cell: NotebookNode | None, known: CellsById, name: str = "") -> NotebookNode:
    """The cell with its own metadata, taken out of `known`; without any when it has none or had its turn."""
    if cell is not None:
        name = cell.metadata[_CLAIMED]
    about, source = known.pop(name, ({}, None))
    if source is None:
        assert cell is not None
        cell.metadata = NotebookNode()
        return cell
    text = source.source if cell is None or about["locked"] else cell.source
    made: NotebookNode = _NEW[about["cell_type"]](text, id=f"restored-{name}", metadata={"nbgrader": about})
    return made


class PtqlabHarmless(SanitizeHTML):
    """Escapes markup that would act in the browser of the person who grades: formgrader shows markdown as HTML.

    Runs after PtqlabRestore, since a cell may become markdown there.
    """

    enabled = Bool(True).tag(config=True)
    tags = List(Unicode(), sorted(ALLOWED_TAGS - {"a"}))

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> Result:
        """A locked cell holds the instructor's own text, and stays as it is."""
        if utils.is_locked(cell):
            return cell, resources
        cleaned: Result = super().preprocess_cell(cell, resources, cell_index)
        return cleaned

    def sanitize_html_tags(self, html_str: str) -> str:
        """`html_str` with harmless tags only and without links, which could spell a scheme in many ways."""
        return re.sub(r"\](?=[(\[:])", "] ", str(super().sanitize_html_tags(html_str)))
