"""Sentences for the student on what became of the code: few, and first those that may cost points.

Cells have the numbers that Jupyter shows when all are run from the top. What was handed out is not spoken of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from autograder.submission.cells import normal
from autograder.submission.slicing import Slice

MOST = 8
_LONGEST = 500  # characters of a list of places


class HandedOut:
    """Which cells of a notebook are as they were handed out, and which lines of a script: `cells` are those texts."""

    def __init__(self, sources: Sequence[str], is_script: bool, cells: Collection[str]) -> None:
        texts = [text for text in map(normal, sources) if text.strip()]
        known = [number for number, text in enumerate(texts, start=1) if text.strip() in cells]
        self.numbers = frozenset(() if is_script else known)
        self._lines = frozenset(line for cell in cells for line in cell.split("\n")) if is_script else frozenset()

    def holds(self, place: str, line: str) -> bool:
        """Whether a statement that starts with this line, at "cell 5, line 3" or in a script, was handed out."""
        number = place.partition(",")[0].removeprefix("cell ")
        return line in self._lines or (number.isdecimal() and int(number) in self.numbers)


def notes_on(part: Slice, said: Iterable[str], in_text: Iterable[str], handed_out: HandedOut) -> tuple[str, ...]:
    """Return at most MOST sentences: on what graded names depend on, on other pieces left out, on what is not run.

    `said`: a sentence on each piece that is left out. `in_text`: graded names that cells without code define.
    """
    costly = [why for whys in part.lost.values() for why in whys]
    missing = [name for name in in_text if name not in part.bound_in]
    costly += [f"A text cell defines {name}, and no code cell does: make it a code cell." for name in missing]
    places = [place for place, line in part.dropped if not handed_out.holds(place, line)]
    found = list(dict.fromkeys((*costly, *_overwritten(part.bound_in, handed_out), *said, *_not_run(places))))
    more = len(found) - MOST
    return tuple(found) if more <= 0 else (*found[: MOST - 1], f"… and {more + 1} more remarks.")


def _overwritten(bound_in: Mapping[str, Sequence[int]], handed_out: HandedOut) -> Iterator[str]:
    """An answer above the stub, which then stands last."""
    for name, numbers in bound_in.items():
        own = [number for number in numbers if number not in handed_out.numbers]
        if own and numbers[-1] in handed_out.numbers:
            again = f"cell {numbers[-1]}, as it was handed out, defines it again"
            yield f"Cell {own[-1]} defines {name}, but {again}: the last definition counts."


def _not_run(places: Iterable[str]) -> Iterator[str]:
    """One sentence on the statements that are not run: plots, experiments, checks."""
    lines: dict[str, list[int]] = {}  # cell -> lines; a script is one cell without a name
    for place in places:
        cell, _, line = place.rpartition("line ")
        lines.setdefault(cell, []).append(int(line))
    text = "; ".join(f"{cell}{_in_words(own)}" for cell, own in lines.items())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    if text:
        yield f"Not run, since no graded function depends on it: {text}."


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
