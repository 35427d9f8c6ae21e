"""Whose each file of a class is: folders around the class are stripped, platforms' names read, all others believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.people import NO_CLUES, Clues, Owner, clues_of, owner_of
from autograder.grading.seen import Seen
from autograder.sandbox.unpacking import is_archive, without_suffix
from autograder.submission.labs_of import lab_named, person_named

_METADATA = "submission_metadata.yml"  # of Gradescope
_MOST_METADATA = 4 << 20  # bytes
_WORK = ("exercises",)  # folders of the kit's own in a student's working folder


@dataclass(frozen=True)
class _Level:
    """The class's own level: `prefix` are the folders around it."""

    prefix: tuple[str, ...]
    labs: tuple[str, ...]
    clues: Clues
    folders: frozenset[str]  # those that hold code
    persons: frozenset[str]  # whom files that lie beside each other are named after
    has_files: bool  # code lies beside each other
    student: str  # whose it is, if it is one person's
    names: frozenset[str]  # of all folders and of whom files are named after

    @property
    def is_one_persons(self) -> bool:
        """Whether files and folders are named like labs, and none like a person."""
        rooms = [name for name in self.folders if not (lab_named(name, self.labs) or name in _WORK)]
        few = len(rooms) < 2 if self.has_files else bool(self.folders) and not rooms
        return few and not self.persons

    def owner(self, seen: Seen) -> Owner | None:
        """Return whose a file is; None where nothing tells."""
        parts = seen.entry.parts[len(self.prefix) :]
        if seen.entry.parts[: len(self.prefix)] != self.prefix or not parts or "/" in parts[0]:
            return None
        if owner := owner_of(parts, self.clues):
            return owner
        if self.is_one_persons:
            return _named(self.student, parts)
        if is_archive(parts[0]) and without_suffix(parts[0]) in self.names:
            return None  # somebody else may have called it like the folder beside it
        if len(parts) > 1 or seen.entry.is_folder:
            is_none = self.persons and not self.folders and not is_archive(parts[0])  # plots beside notebooks
            return None if is_none else _named(without_suffix(parts[0]), parts[1:])
        person = person_named(without_suffix(parts[0]), self.labs)
        return _named(person, parts) if person and (seen.is_code or (seen.is_document and self.persons)) else None


def _named(name: str, rest: Sequence[str]) -> Owner:
    return Owner(name, name, attempt="", rest=tuple(rest))


def owners(files: Sequence[Seen], root: Path, student: str, labs: Sequence[str]) -> list[Owner | None]:
    """Return the owner of each file below `root`; `student` is who all of it belongs to, if it is one person's.

    Folders that are named like labs may each hold a class.
    """
    slugs = tuple(labs)
    prefix = _prefix(files, student, slugs)
    here = _level(files, root, prefix, student, slugs)
    size = len(prefix) + 1
    below = {
        (*prefix, name): [seen for seen in files if seen.entry.parts[:size] == (*prefix, name)] for name in here.folders
    }
    of_labs = here.is_one_persons and any(
        _is_wrapper(path[-1], [seen for seen in own if seen.is_code], size, student, slugs)
        for path, own in below.items()
        if path[-1] not in _WORK
    )
    levels = {path: _level(own, root, path, student, slugs) for path, own in below.items()} if of_labs else {}
    return [levels.get(seen.entry.parts[:size], here).owner(seen) for seen in files]


def _level(files: Sequence[Seen], root: Path, prefix: tuple[str, ...], student: str, labs: tuple[str, ...]) -> _Level:
    size = len(prefix)
    level = [seen for seen in files if seen.entry.parts[:size] == prefix]
    code = [seen for seen in level if seen.is_code]
    folders = frozenset(seen.entry.parts[size] for seen in code if len(seen.entry.parts) > size + 1)
    persons = _persons([seen for seen in code if len(seen.entry.parts) == size + 1], labs)
    has_files = any(len(seen.entry.parts) == size + 1 for seen in code)
    names = persons | {seen.entry.parts[size] for seen in level if len(seen.entry.parts) > size + 1}
    return _Level(prefix, labs, _clues(level, root, prefix, student), folders, persons, has_files, student, names)


def _persons(files: Sequence[Seen], labs: tuple[str, ...]) -> frozenset[str]:
    """Whom files that lie beside each other are named after.

    Where one is named like a lab alone, the others are so too, unless what they hold is a lab.
    """
    persons = [person_named(seen.entry.name, labs) for seen in files]
    is_mixed = not all(persons)
    named = zip(persons, files, strict=True)
    return frozenset(person for person, seen in named if person and (seen.belongs.labs or not is_mixed))


def _clues(level: Sequence[Seen], root: Path, prefix: tuple[str, ...], student: str) -> Clues:
    base, size = root.joinpath(*prefix), len(prefix)
    names = {seen.entry.parts[size] for seen in level if len(seen.entry.parts) > size}
    if not base.is_dir():
        return NO_CLUES
    folders = [name for name in names if (base / name).is_dir()]
    github = len(folders) > 1 and all((base / name / ".github").is_dir() for name in folders)
    try:
        with (base / _METADATA).open("rb") as file:
            metadata = "" if (base / _METADATA).is_symlink() else file.read(_MOST_METADATA).decode("utf-8", "replace")
    except OSError:
        metadata = ""
    return clues_of(names, wrapper=prefix[-1] if prefix else student, github=github, metadata=metadata)


def _prefix(files: Sequence[Seen], student: str, labs: tuple[str, ...]) -> tuple[str, ...]:
    """The folders around the class: each the only one of its level, with several people's work in it."""
    prefix: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    while True:
        size = len(path) + 1
        below = [seen for seen in files if seen.entry.parts[: size - 1] == path and seen.is_code]
        names = {seen.entry.parts[size - 1] for seen in below}
        if len(names) != 1 or any(len(seen.entry.parts) == size for seen in below):
            return prefix
        (name,) = names
        if owner_of((name, "x")) or lab_named(name, labs):
            return prefix
        path = (*path, name)
        prefix = path if _is_wrapper(name, below, size, student, labs) else prefix


def _is_wrapper(name: str, below: Sequence[Seen], size: int, student: str, labs: tuple[str, ...]) -> bool:
    """Whether a folder holds a class, and is not one person's: two of its people have handed in the same lab."""
    below = [seen for seen in below if len(seen.entry.parts) > size]  # an entry may be called like the folder
    entries = [seen.entry.parts[size:] for seen in below]
    if name in _WORK or any(owner_of(parts) for parts in entries):
        return True
    if without_suffix(name) == student and all(len(parts) > 1 for parts in entries):
        return not all(lab_named(parts[0], labs) for parts in entries)
    people: dict[str, set[str]] = {}
    for seen, parts in zip(below, entries, strict=True):
        person = parts[0] if len(parts) > 1 else person_named(parts[0], labs)
        if person and not lab_named(person, labs):
            people.setdefault(person, set()).update(seen.belongs.labs)
    counts = Counter(lab for own in people.values() for lab in own)
    return max(counts.values(), default=0) > 1
