"""A class's folder -> who handed in which file for which exercise, and what became of every other file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from autograder.course.catalog import pick_exercise
from autograder.grading import tree
from autograder.grading.choice import IGNORED, Choice, choose
from autograder.grading.owners import owners
from autograder.grading.people import Owner, file_name
from autograder.grading.seen import Looker, Seen
from autograder.grading.tree import Entry
from autograder.records import Exercise, PtqlabError
from autograder.sandbox import reading
from autograder.sandbox.unpacking import without_suffix
from autograder.submission.labs_of import lab_named, person_named
from autograder.submission.record import MOST_NOTES, Record

GRADED, UNREADABLE, WITHHELD, NOBODYS = "graded", "unreadable", "withheld", "nobody's"
_EXPECTED = "Expected a notebook (.ipynb), a script (.py), or a folder or archive of them"
_IMPORTED = (
    "imports {module}, which lies beside the notebook; only the notebook is graded: put it into a %%writefile cell."
)


@dataclass(frozen=True)
class Found:
    """One student's file for one exercise; or `path` is None and `problem` says in a sentence why.

    `withheld`: there are files, and a person must say which one counts. `notes`: what the student is told of the file.
    """

    student: str
    exercise: str
    path: Path | None
    problem: str = ""
    withheld: bool = False
    notes: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """The student's name, made safe for a folder of reports."""
        return file_name(self.student)

    def read(self, exercise: Exercise, data: bytes | None = None) -> Record:
        """Read the file that was found, or its content; where there is none, the record's problem says why."""
        if self.path is None:
            return Record(name="", problem=self.problem)
        record = reading.read(self.path, exercise, data)
        if record.code is not None:
            record.code.notes = [*self.notes, *record.code.notes][:MOST_NOTES]
        return record


@dataclass(frozen=True)
class Fate:
    """What became of one file: `what` is one of the words above or in `choice`, `why` says more where there is more."""

    path: str
    owner: str
    lab: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Intake:
    """What is graded, and what became of every file."""

    rows: tuple[Found, ...]
    fates: tuple[Fate, ...] = ()

    @property
    def undecided(self) -> tuple[Fate, ...]:
        """The files that a person must decide about."""
        return tuple(fate for fate in self.fates if fate.what in (WITHHELD, NOBODYS))


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
        return f"{_EXPECTED}, but {root} holds none; check the path."
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


@dataclass
class _Person:
    """Everything of one person's (or group's): `labels` are those in whose name it came."""

    labels: tuple[str, ...]
    files: list[Seen] = field(default_factory=list)
    attempts: dict[Entry, str | None] = field(default_factory=dict)
    receipts: list[Seen] = field(default_factory=list)
    late: bool = False

    def add(self, seen: Seen, owner: Owner) -> None:
        self.late = self.late or owner.late
        if owner.rest or seen.problem:
            self.files.append(seen)
            self.attempts[seen.entry] = owner.attempt
        else:
            self.receipts.append(seen)


def _of_class(
    files: Sequence[Seen], whose: Sequence[Owner | None], wanted: Sequence[Exercise], looker: Looker
) -> Intake:
    people: dict[tuple[str, ...], _Person] = {}
    fates: list[Fate] = []
    for seen, owner in zip(files, whose, strict=True):
        if owner is None:
            fates += [] if seen.entry.is_folder and not seen.problem else [_of_nobody(seen)]
        else:
            labels = (owner.label, *owner.others)
            people.setdefault(labels, _Person(labels)).add(seen, owner)
    flat = all(len(seen.entry.parts) == 1 for person in people.values() for seen in person.files)
    choices = {labels: _choices(person, wanted, flat) for labels, person in people.items()}
    present = [each.slug for each in wanted if any(each.slug in own for own in choices.values())]
    rows: list[Found] = []
    for labels, person in people.items():
        own_rows, own_fates = _of_person(person, choices[labels], present, looker)
        rows += own_rows
        fates += own_fates
    rank = {each.slug: place for place, each in enumerate(wanted)}
    rows.sort(key=lambda row: (row.student, rank[row.exercise]))
    return Intake(tuple(rows), tuple(sorted(fates, key=lambda fate: (fate.owner, fate.path, fate.lab))))


def _of_nobody(seen: Seen) -> Fate:
    if seen.problem and seen.is_document:
        return Fate(str(seen.entry), "", "", NOBODYS, seen.problem)
    if seen.is_code and seen.belongs.labs and not seen.look.stub_of:
        why = "it is named like a lab, and lies beside other people's work: put it into a folder with a name"
        return Fate(str(seen.entry), "", seen.belongs.labs[0], NOBODYS, why)
    return Fate(str(seen.entry), "", "", IGNORED, seen.problem or "no person's notebook or script")


def _choices(person: _Person, wanted: Sequence[Exercise], flat: bool) -> dict[str, Choice]:
    """Lab -> the file that counts. What is as it was handed out is none where another lab has been worked on."""
    code = [seen for seen in person.files if seen.is_code]
    by_lab = {each.slug: [seen for seen in code if each.slug in seen.belongs.labs] for each in wanted}
    unknown = [seen for seen in code if not seen.belongs.labs]
    for slug, own in by_lab.items():
        if not own and len(wanted) == 1 and flat:
            own += unknown
        if not own:
            own += [seen for seen in unknown if len(seen.entry.parts) > 1 and lab_named(seen.entry.parts[-2], [slug])]
    own_labs = {slug: own for slug, own in by_lab.items() if own}
    changed = {slug: own for slug, own in own_labs.items() if not all(seen.is_untouched for seen in own)}
    exercise_of = {each.slug: each for each in wanted}
    return {slug: choose(own, person.attempts, exercise_of[slug]) for slug, own in (changed or own_labs).items()}


def _of_person(
    person: _Person, choices: dict[str, Choice], present: Sequence[str], looker: Looker
) -> tuple[list[Found], list[Fate]]:
    """The rows of a person, one for each lab, and the fates of all files."""
    person.files = person.files if choices else [looker.kind(seen) for seen in person.files]
    rows = [_row(slug, choice, person) for slug, choice in choices.items()]
    if not choices:
        problem, is_fault = _problem(person)
        rows = [_missing(slug, problem, is_fault, person) for slug in present]
    fates = [_fate(seen, person, choices, bool(rows)) for seen in person.files]
    receipts = [
        Fate(str(seen.entry), person.labels[0], "", IGNORED, "the platform's receipt") for seen in person.receipts
    ]
    of_everybody = [replace(row, student=label) for row in rows for label in person.labels]
    return of_everybody, [*(fate for own in fates for fate in own), *receipts]


def _row(slug: str, choice: Choice, person: _Person) -> Found:
    if choice.chosen is None:
        return Found(person.labels[0], slug, None, choice.problem, withheld=True)
    seen = choice.chosen
    if seen.entry.path is None:
        return Found(person.labels[0], slug, None, seen.problem, withheld=seen.entry.is_fault)
    notes = (*_modules_beside(seen, person.files), seen.belongs.note, choice.note)
    return Found(person.labels[0], slug, seen.entry.path, notes=tuple(filter(None, notes)))


def _modules_beside(seen: Seen, files: Iterable[Seen]) -> list[str]:
    """Say which modules are imported that lie in the same folder, and are not graded with the file."""
    above = seen.entry.parts[:-1]
    beside = {
        PurePath(other.entry.name).stem: other
        for other in files
        if other.entry.parts[:-1] == above and other.entry.name.endswith(".py") and other.look.kind == "script"
    }
    written = {PurePath(name).stem for name in seen.look.writes}
    modules = [name for name in seen.look.imports if name in beside and name not in written]
    return [f"{seen.entry.name} {_IMPORTED.format(module=name)}" for name in modules]


def _problem(person: _Person) -> tuple[str, bool]:
    """Why a person has no file that counts, where one of the files says it; and whether that is our fault."""
    for seen in sorted(person.files, key=lambda seen: (not seen.entry.problem, not seen.is_code)):
        if seen.problem:
            return seen.problem, seen.entry.is_fault
    return "", False


def _missing(slug: str, problem: str, is_fault: bool, person: _Person) -> Found:
    code = [seen for seen in person.files if seen.is_code]
    if not problem:
        named = ", ".join(_with_lab(seen) for seen in code[:3]) or "no notebook at all"
        cure = "." if any(seen.belongs.labs for seen in code) else "; hand it in under that name."
        problem = f"Expected {slug}.ipynb or {slug}.py, but {named} came{cure}"
    return Found(person.labels[0], slug, None, problem, withheld=is_fault)


def _with_lab(seen: Seen) -> str:
    labs = seen.belongs.labs
    return f"{seen.entry.name} ({labs[0]})" if labs and labs[0] != without_suffix(seen.entry.name) else seen.entry.name


def _fate(seen: Seen, person: _Person, choices: dict[str, Choice], has_row: bool) -> list[Fate]:
    """What became of one file, for each lab that it was looked at for."""
    path, label = str(seen.entry), person.labels[0]
    found: list[Fate] = []
    late = "handed in late" if person.late else ""
    for slug, choice in choices.items():
        if choice.chosen is not None and choice.chosen.entry == seen.entry:
            found.append(Fate(path, label, slug, GRADED, "; ".join(filter(None, (choice.note, late)))))
        elif any(rival.entry == seen.entry for rival in choice.rivals):
            found.append(Fate(path, label, slug, WITHHELD, choice.problem))
        elif seen.entry in choice.others:
            what, why = choice.others[seen.entry]
            found.append(Fate(path, label, slug, what, why))
    if found or (seen.entry.is_folder and not seen.problem):
        return found
    if seen.problem and (seen.is_code or not choices):
        what = WITHHELD if seen.entry.is_fault or not has_row else UNREADABLE
        return [Fate(path, label, "", what, seen.problem)]
    return [Fate(path, label, next(iter(seen.belongs.labs), ""), IGNORED, _why_ignored(seen))]


def _why_ignored(seen: Seen) -> str:
    if seen.is_ours or seen.is_untouched:
        return "as it was handed out"
    if seen.belongs.labs:
        return f"is {seen.belongs.labs[0]}"
    return "binds no graded name" if seen.is_code else "no notebook or script"
