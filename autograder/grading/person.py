"""One person's files: which one counts for each lab, and what became of every other one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from autograder.grading.choice import IGNORED, UNREADABLE, Choice, choose
from autograder.grading.found import Found
from autograder.grading.people import Owner
from autograder.grading.seen import Looker, Seen
from autograder.grading.tree import Entry
from autograder.records import Exercise, Fate
from autograder.sandbox.unpacking import without_suffix
from autograder.submission.labs_of import lab_named

GRADED, WITHHELD = "graded", "withheld"
_IMPORTED = (
    "{file} imports {module}, which lies beside the notebook; only the notebook is graded: put it into a %%writefile "
    "cell."
)


@dataclass
class Person:
    """Everything of one person's (or group's): `labels` are those in whose name it came."""

    labels: tuple[str, ...]
    files: list[Seen] = field(default_factory=list)
    attempts: dict[Entry, str | None] = field(default_factory=dict)
    receipts: list[Seen] = field(default_factory=list)
    late: bool = False

    def add(self, seen: Seen, owner: Owner) -> None:
        """Note one file."""
        self.late = self.late or owner.late
        if owner.rest or seen.problem:
            self.files.append(seen)
            self.attempts[seen.entry] = owner.attempt
        else:
            self.receipts.append(seen)


def choices_of(person: Person, wanted: Sequence[Exercise], flat: bool) -> dict[str, Choice]:
    """Lab -> the file that counts. What is as it was handed out is none where another lab has been worked on."""
    code = [seen for seen in person.files if seen.is_code]
    by_lab = {each.slug: [seen for seen in code if each.slug in seen.belongs.labs] for each in wanted}
    unknown = [seen for seen in code if not seen.belongs.labs]
    for slug, own in by_lab.items():
        is_told = len(wanted) == 1 and flat
        in_folder = [seen for seen in unknown if len(seen.entry.parts) > 1 and lab_named(seen.entry.parts[-2], [slug])]
        own.extend(() if own else unknown if is_told else in_folder)
    there = {slug: own for slug, own in by_lab.items() if own}
    changed = {slug: own for slug, own in there.items() if not all(seen.is_untouched for seen in own)}
    exercise_of = {each.slug: each for each in wanted}
    return {slug: choose(own, person.attempts, exercise_of[slug]) for slug, own in (changed or there).items()}


def rows_and_fates(
    person: Person, choices: dict[str, Choice], present: Sequence[str], looker: Looker
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


def _row(slug: str, choice: Choice, person: Person) -> Found:
    if choice.chosen is None:
        return Found(person.labels[0], slug, None, choice.problem, withheld=True)
    seen = choice.chosen
    if seen.entry.path is None:
        return Found(person.labels[0], slug, None, seen.problem, withheld=seen.is_fault)
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
    return [_IMPORTED.format(file=seen.entry.name, module=name) for name in modules]


def _problem(person: Person) -> tuple[str, bool]:
    """Why a person has no file that counts, where one of the files says it; and whether that is our fault."""
    for seen in sorted(person.files, key=lambda seen: (not seen.entry.problem, not seen.is_code)):
        if seen.problem:
            return seen.problem, seen.is_fault
    return "", False


def _missing(slug: str, problem: str, is_fault: bool, person: Person) -> Found:
    code = [seen for seen in person.files if seen.is_code]
    if not problem:
        named = ", ".join(_with_lab(seen) for seen in code[:3]) or "no notebook at all"
        cure = "." if any(seen.belongs.labs for seen in code) else "; hand it in under that name."
        problem = f"Expected {slug}.ipynb or {slug}.py, but {named} came{cure}"
    return Found(person.labels[0], slug, None, problem, withheld=is_fault)


def _with_lab(seen: Seen) -> str:
    labs = seen.belongs.labs
    return f"{seen.entry.name} ({labs[0]})" if labs and labs[0] != without_suffix(seen.entry.name) else seen.entry.name


def _fate(seen: Seen, person: Person, choices: dict[str, Choice], has_row: bool) -> list[Fate]:
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
        what = WITHHELD if seen.is_fault or not has_row else UNREADABLE
        return [Fate(path, label, "", what, seen.problem)]
    return [Fate(path, label, next(iter(seen.belongs.labs), ""), IGNORED, _why_ignored(seen))]


def _why_ignored(seen: Seen) -> str:
    if seen.is_ours or seen.is_untouched:
        return "as it was handed out"
    if seen.belongs.labs:
        return f"is {seen.belongs.labs[0]}"
    return "binds no graded name" if seen.is_code else "no notebook or script"
