"""One file -> its record. Pure: bytes in, frames out; no file of a student's is opened, none of its code is run.

The grader calls it in a bounded child (sandbox/reading.py); `check` and `pytest` call it in their own process, on any
system, with the same result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from autograder.records import Exercise, Submission
from autograder.submission import normal_form
from autograder.submission.cells import Judge, parse_notebook, parse_script
from autograder.submission.newer_python import OURS, version_needed, version_of
from autograder.submission.notebook import AGAIN, NO_TEXT, UnreadableError, plain, read_book, short
from autograder.submission.recognition import Lab, lab_of, look, opened
from autograder.submission.record import (
    LONGEST_WORD,
    MOST_FRAME,
    MOST_HELPERS,
    MOST_NOTES,
    MOST_PLACES,
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
from autograder.submission.slicing import Slice, slice_cells

_LONGEST_NOTE = 500  # characters
_LATE_ANNOTATIONS = (3, 14)  # the first Python that evaluates annotations when they are asked for
_LONGEST_MODULE = 1_200_000  # characters of what is graded: the code, and a marker above each cell
Send = Callable[[Frame], object]


def read(
    name: str,
    data: bytes | memoryview,
    lab: Lab,
    send: Send,
    compare: bool = True,
    judge: Judge = version_needed,
    installed: Collection[str] | None = None,
) -> None:
    """Send what a file is and what is graded of it; with `compare` also the normal form of its code.

    `judge` says which newer Python a piece of code needs; `installed` are the modules that the grader has.
    """
    found, sources = look(name, data, [lab])
    send(found)
    if found.problem:
        return
    claimed = found.python if found.language in ("", "python") else ""
    if found.kind == "script":
        cells, notes = parse_script(sources[0])
    else:
        cells, notes = parse_notebook(_Announced(sources, send), claimed, judge)
    send(At("what the graded names need"))
    part = slice_cells(cells, lab.functions, claimed, installed)
    if len(part.source) > _LONGEST_MODULE:
        send(Refused(f"{name} is too long once it is cut down to what is graded; remove what no task needs."))
        return
    notes = (*_remarks(name, sources, found), *_first(notes), *_left_out(part.dropped))
    send(_code(lab, part, notes, claimed))
    if compare:
        send(Tokens(normal_form.fingerprint(sources, lab.definitions)[:1_000_000]))


def _code(lab: Lab, part: Slice, notes: Sequence[str], claimed: str) -> Code:
    return Code(
        lab=lab.slug,
        source=part.source,
        helpers={name: text for name, text in islice(part.helpers.items(), MOST_HELPERS) if len(name) <= LONGEST_WORD},
        late_annotations=(version_of(claimed) or OURS) >= _LATE_ANNOTATIONS > OURS,
        needs_python=_few(part.needs_python),
        absent=_few(part.absent),
        lost={name: [short(why) for why in whys[:MOST_NOTES]] for name, whys in part.lost.items()},
        notes=[short(note) for note in notes],
    )


def _few(places: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """As many of a file's places as a record holds."""
    found = islice(places.items(), MOST_PLACES)
    return {plain(name): (plain(what), plain(place)) for name, (what, place) in found}


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
    return Submission(student, slug, record.code.source, record.sha256, notes=tuple(record.code.notes))


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


def _first(notes: Sequence[str]) -> tuple[str, ...]:
    more = len(notes) - MOST_NOTES
    tail = (f"… and {more} more cells or statements that do not parse.",) if more > 0 else ()
    return (*notes[:MOST_NOTES], *tail)


def _left_out(dropped: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """One sentence on the statements that are not run: plots, experiments, checks."""
    lines: dict[str, list[int]] = {}  # cell -> lines; a script is one cell without a name
    for place, _ in dropped:
        cell, _, line = place.rpartition("line ")
        lines.setdefault(cell, []).append(int(line))
    text = "; ".join(f"{cell}{_in_words(own)}" for cell, own in lines.items())
    text = text if len(text) <= _LONGEST_NOTE else f"{text[:_LONGEST_NOTE]} …"
    return (f"Not run, since no graded function depends on it: {text}.",) if text else ()


def _in_words(lines: Sequence[int]) -> str:
    """Say "line 4" or "lines 1–3, 7" of ascending numbers."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line <= runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    text = ", ".join(f"{run[0]}–{run[-1]}" if run[-1] > run[0] else f"{run[0]}" for run in runs)
    return f"line {text}" if text.isdigit() else f"lines {text}"
