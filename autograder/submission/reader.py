"""One file -> its record. Pure: bytes in, frames out; no file of a student's is opened, none of its code is run.

The grader calls it in a bounded child (sandbox/reading.py); `check` and `pytest` call it in their own process, on any
system, with the same result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from autograder.records import Exercise, Submission
from autograder.submission import newer_python, normal_form, packages
from autograder.submission.cells import Judge, parse_notebook, parse_script
from autograder.submission.notebook import AGAIN, NO_TEXT, UnreadableError, plain, read_book, short
from autograder.submission.notes import HandedOut, notes_on
from autograder.submission.recognition import Lab, lab_of, look, opened
from autograder.submission.record import (
    MOST_FRAME,
    MOST_HELPERS,
    MOST_NOTES,
    At,
    BookCell,
    Cells,
    Code,
    Frame,
    Look,
    Record,
    Refused,
    Tokens,
)
from autograder.submission.slicing import slice_cells

_LONGEST_MODULE = 1_200_000  # characters of what is graded: the code, and a marker above each cell
Send = Callable[[Frame], object]


def read(
    name: str,
    data: bytes | memoryview,
    lab: Lab,
    send: Send,
    compare: bool = True,
    judge: Judge = newer_python.version_needed,
) -> None:
    """Send what a file is and what is graded of it; with `compare` also the normal form of its code.

    `judge` is asked about code that a newer Python may take.
    """
    found, sources = look(name, data, [lab])
    send(found)
    if found.problem:
        return
    is_script = found.kind == "script"
    announced = _Announced(sources, send)
    cells, said = parse_script(sources[0]) if is_script else parse_notebook(announced, found.python, judge)
    send(At("what the graded names need"))
    part = slice_cells(cells, lab.functions, found.python, packages.installed())
    if len(part.source) > _LONGEST_MODULE or len(part.helpers) > MOST_HELPERS:
        send(Refused(f"{name} is too long once it is cut down to what is graded; remove what no task needs."))
        return
    handed_out = HandedOut(sources, is_script, lab.cells)
    notes = (*_remarks(name, sources, found), *notes_on(part, said, found.in_text, handed_out))
    code = Code(
        lab=lab.slug,
        source=part.source,
        helpers={plain(file): text for file, text in part.helpers.items()},
        late_annotations=newer_python.is_late(found.python),
        needs_python=_places(part.needs_python),
        absent=_places(part.absent),
        lost={name: [short(why) for why in whys[:MOST_NOTES]] for name, whys in part.lost.items() if len(name) <= 200},
        notes=[short(note) for note in notes],
    )
    send(code)
    if compare:
        send(Tokens(normal_form.fingerprint(sources, lab.definitions)[:1_000_000]))


def read_cells(name: str, data: bytes | memoryview, send: Send) -> None:
    """Send a notebook's cells as nbgrader needs them.

    Of one with megabytes of text, a long text that is no answer is cut.
    """
    try:
        cells = read_book(name, data).cells
    except UnreadableError as error:
        send(Refused(short(str(error))))
        return
    shown = [BookCell(cell.kind, cell.grade_id, cell.text) for cell in cells]
    if _size(shown) > MOST_FRAME // 2:
        shown = [cell if cell.grade_id else BookCell(cell.kind, "", cell.text[:10_000]) for cell in shown]
    if len(shown) > 5_000 or _size(shown) > MOST_FRAME // 2:
        send(Refused(f"{name} holds more cells or more text than anybody reads; {AGAIN}"))
    else:
        send(Cells(shown))


def _size(cells: Iterable[BookCell]) -> int:
    return sum(len(cell.text.encode("utf-8")) for cell in cells)


# --- in this process ----------------------------------------------------------------------------------------------


def read_submission(path: Path, exercise: Exercise, student: str, data: bytes | None = None) -> Submission:
    """Return what `student` handed in at `path`, read in this process: for one's own files.

    Never raises for what the file holds: `problem` then says in a sentence why nothing can be graded.
    `data` is the file's content, where it has been read already.
    """
    record = Record(name=path.name)
    try:
        if data is None:
            with opened(path) as file:
                data = file.read()
        record.sha256 = hashlib.sha256(data).hexdigest()
        lab = lab_of(exercise.slug, exercise.functions, exercise.folder)
        read(path.name, data, lab, record.add, compare=False)
    except UnreadableError as error:
        record.problem = str(error)
    except OSError as error:
        record.problem = f"{path.name} cannot be read ({error.strerror}); hand it in again."
    return submission_of(record, student, exercise.slug)


def submission_of(record: Record, student: str, slug: str) -> Submission:
    """Return what is graded of a file."""
    if record.problem or record.code is None:
        return Submission(student, slug, "", record.sha256, problem=record.problem)
    code = record.code
    return Submission(
        student,
        slug,
        code.source,
        record.sha256,
        notes=tuple(code.notes),
        helpers=code.helpers,
        late_annotations=code.late_annotations,
        needs_python=code.needs_python,
        absent=code.absent,
    )


# --- words for the student ----------------------------------------------------------------------------------------


class _Announced(list[str]):
    """Code cells that say which of them is read next, so that the sentence on a reader that ends can name it."""

    def __init__(self, sources: Sequence[str], send: Send) -> None:
        super().__init__(sources)
        self._send = send

    def __iter__(self) -> Iterator[str]:
        number = 0
        for source in super().__iter__():
            number += bool(source.strip())
            if number < 1_000 or number % 1_000 == 0:
                self._send(At(f"cell {number}"))
            yield source


def _remarks(name: str, sources: Sequence[str], found: Look) -> tuple[str, ...]:
    """Sentences on a submission's code as a whole."""
    if not any(source.strip() for source in sources):
        return (f"{name} holds no code.",)
    if found.stub_of:
        return ("The code is as it was handed out: nothing has been written yet.",)
    textless = sources.count(NO_TEXT)
    return (f"{textless} code cells hold no text and were left out.",) if textless else ()


def _places(found: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """As many of them, and as much of each, as a record holds."""
    return {name: (plain(what), plain(place)) for name, (what, place) in list(found.items())[:100] if len(name) <= 200}
