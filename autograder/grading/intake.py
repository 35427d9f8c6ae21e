"""A class's folder -> who handed in which file for which exercise, and what became of every other file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.course.catalog import pick_exercise
from autograder.grading import tree
from autograder.grading.choice import IGNORED
from autograder.grading.found import Found
from autograder.grading.owners import owners
from autograder.grading.people import Owner
from autograder.grading.person import GRADED, WITHHELD, Person, choices_of, rows_and_fates
from autograder.grading.seen import Looker, Seen
from autograder.grading.tree import Entry
from autograder.records import Exercise, Fate, PtqlabError
from autograder.report.atomic import write_atomically
from autograder.submission.labs_of import lab_named, person_named

FILE = "intake.json"
NOBODYS = "nobody's"
_EXPECTED = "Expected a notebook (.ipynb), a script (.py), or a folder or archive of them"


@dataclass(frozen=True)
class Intake:
    """What is graded, and what became of every file."""

    rows: tuple[Found, ...]
    fates: tuple[Fate, ...] = ()

    @property
    def undecided(self) -> tuple[Fate, ...]:
        """The files that a person must decide about."""
        return tuple(fate for fate in self.fates if fate.what in (WITHHELD, NOBODYS))

    @property
    def summary(self) -> str:
        """How many files came in, and what became of them."""
        counts = Counter(fate.what for fate in self.fates)
        noun = "file" if len(self.fates) == 1 else "files"
        return f"{len(self.fates)} {noun} came in: {', '.join(f'{counts[what]} {what}' for what in sorted(counts))}"


def find_submissions(
    root: Path, exercises: Sequence[Exercise], only: str | None = None, refused: Sequence[Entry] = ()
) -> Intake:
    """Return what lies under `root`, by student and then by exercise, and what became of every file.

    What a file holds tells its lab, and its name only where that does not. Folders around the class are stripped. A
    person is who a learning platform names, else the first folder, else whom a file is named after. `only` is the slug
    or number of the one exercise to grade. `refused`: what did not come out of an archive. Raises PtqlabError when
    nothing is there that can be graded.
    """
    wanted = (pick_exercise(exercises, only),) if only else tuple(exercises)
    if not os.path.lexists(root):
        raise PtqlabError(f"{_EXPECTED}, but {root} does not exist; check the path.")
    looker = Looker(exercises)
    if not root.is_dir():
        return _single(root, looker, exercises, wanted)
    try:
        files = looker.see([*tree.entries(root), *refused])
    except OSError as error:
        raise PtqlabError(f"{_EXPECTED}, but {root} cannot be read ({error.strerror}); check the path.") from None
    slugs = [each.slug for each in exercises]
    whose = owners(files, root, tree.name_of(root), slugs)
    intake = _of_class(files, whose, wanted, looker)
    if not intake.rows:
        raise PtqlabError(_nothing(root, files, wanted))
    return intake


def _nothing(root: Path, files: Sequence[Seen], wanted: Sequence[Exercise]) -> str:
    """Say why a folder holds nothing that can be graded."""
    code = [str(seen.entry) for seen in files if seen.is_code]
    if not code:
        return f"{_EXPECTED}, but {root} holds none of these; check the path."
    known = ", ".join(each.slug for each in wanted)
    return (
        f"Expected files that bind the graded names of an exercise ({known}) or are called like it, but "
        f"{', '.join(code[:3])} came; give --exercise, or rename them."
    )


def _single(root: Path, looker: Looker, exercises: Sequence[Exercise], wanted: Sequence[Exercise]) -> Intake:
    """One file. Called like an exercise alone, its student is the folder above, an assignment's folder skipped."""
    (seen,) = looker.see([Entry((tree.readable(root.name),), root)])
    slugs = [each.slug for each in exercises]
    labs = [each.slug for each in wanted if each.slug in seen.belongs.labs]
    if not labs and len(wanted) != 1:
        known = ", ".join(each.slug for each in wanted)
        came = f"but {seen.entry.name} came; give --exercise."
        raise PtqlabError(f"Expected a file that binds the graded names of an exercise ({known}), {came}")
    student = person_named(seen.entry.name, slugs)
    if not student:
        above = Path(os.path.abspath(root)).parent
        student = tree.readable((above.parent if lab_named(above.name, slugs) else above).name)
    notes = (seen.belongs.note,) if seen.belongs.note else ()
    rows = [Found(student, lab, root, notes=notes) for lab in labs or [wanted[0].slug]]
    return Intake(tuple(rows), tuple(Fate(seen.entry.name, student, row.exercise, GRADED) for row in rows))


# --- a class ------------------------------------------------------------------------------------------------------


def _of_class(
    files: Sequence[Seen], whose: Sequence[Owner | None], wanted: Sequence[Exercise], looker: Looker
) -> Intake:
    people: dict[tuple[str, ...], Person] = {}
    fates: list[Fate] = []
    for seen, owner in zip(files, whose, strict=True):
        if owner is None:
            fates += [] if seen.entry.is_folder and not seen.problem else [_of_nobody(seen)]
        else:
            labels = (owner.label, *owner.others)
            people.setdefault(labels, Person(labels)).add(seen, owner)
    flat = all(len(seen.entry.parts) == 1 for person in people.values() for seen in person.files)
    choices = {labels: choices_of(person, wanted, flat) for labels, person in people.items()}
    present = [each.slug for each in wanted if any(each.slug in own for own in choices.values())]
    rows: list[Found] = []
    for labels, person in people.items():
        own_rows, own_fates = rows_and_fates(person, choices[labels], present, looker)
        rows += own_rows
        fates += own_fates
    rank = {each.slug: place for place, each in enumerate(wanted)}
    rows.sort(key=lambda row: (row.student, rank[row.exercise]))
    return Intake(tuple(rows), tuple(sorted(fates, key=lambda fate: (fate.owner, fate.path, fate.lab))))


def _of_nobody(seen: Seen) -> Fate:
    if seen.problem and seen.is_document:
        return Fate(str(seen.entry), "", "", NOBODYS, seen.problem)
    if seen.is_code and seen.belongs.labs and not seen.look.stub_of:
        why = "lies beside other people's work, and nothing tells whose it is: put it into a folder of that name"
        return Fate(str(seen.entry), "", seen.belongs.labs[0], NOBODYS, why)
    return Fate(str(seen.entry), "", "", IGNORED, seen.problem or "no person's notebook or script")


# --- on disk ------------------------------------------------------------------------------------------------------


def write_intake(out: Path, intake: Intake, notes: Sequence[str] = ()) -> None:
    """Keep what became of every file beside the grades; `notes` are on the archive as a whole."""
    record = {"notes": list(notes), "files": [asdict(fate) for fate in intake.fates]}
    write_atomically(out / FILE, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def read_intake(out: Path) -> tuple[tuple[Fate, ...], tuple[str, ...]]:
    """Return the fates and notes that are kept beside the grades; none where there are none, or they are damaged."""
    try:
        record: Any = json.loads((out / FILE).read_text(encoding="utf-8"))
        fields = ("path", "owner", "lab", "what", "why")
        fates = tuple(Fate(*(str(each[name]) for name in fields)) for each in record["files"])
        return fates, tuple(map(str, record["notes"]))
    except (OSError, ValueError, LookupError, TypeError):
        return (), ()
