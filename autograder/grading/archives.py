"""Archives of submissions, as learning platforms hand them out: laid out by an allow-list in a folder of our own.

A bounded child unpacks (sandbox/unpacking.py); here it is decided where a file goes. What comes out of an archive is
regular files with plain names. No links, no devices, no absolute or climbing paths, no name twice. An archive within an
archive becomes a folder of its name. What is refused is kept with its path, which tells whose it is.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from autograder.grading import tree
from autograder.grading.people import composed
from autograder.grading.tree import Entry
from autograder.records import PtqlabError
from autograder.sandbox import reading, scratch
from autograder.sandbox.unpacking import DEPTH, Caps, is_archive, is_hidden, start_of, without_suffix
from autograder.submission.notebook import UnreadableError
from autograder.submission.recognition import opened as opened_file
from autograder.submission.record import Member, Record

MOST_NESTED = 8  # archives within a student's archive, which are opened one level deep
_CHUNK = 1 << 20
_LONGEST_PART = 255  # bytes; what file systems allow
_DRIVE = re.compile(r"[A-Za-z]:.*")

CLASS = Caps(entries=200_000, file_bytes=200 << 20, all_bytes=8 << 30, cpu_s=300)
STUDENT = Caps(entries=100_000, file_bytes=200 << 20, all_bytes=200 << 20, cpu_s=10)
NESTED = Caps(entries=10_000, file_bytes=50 << 20, all_bytes=50 << 20, cpu_s=5)


class RefusedEntryError(Exception):
    """An archive, or an entry of it, that is not unpacked; the text says why."""


@dataclass
class Unpacked:
    """A folder to look for submissions in, and what was refused; `notes` are on the archive as a whole."""

    root: Path
    refused: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, parts: tuple[str, ...], problem: str, is_fault: bool = False) -> None:
        """Keep what did not come out; its path below the root tells whose it is."""
        self.refused.append(Entry(parts, None, problem, is_fault, is_archive(parts[-1])))


@contextlib.contextmanager
def opened(submissions: Path, names_in: str = "") -> Iterator[Unpacked]:
    """A class's archive, or a folder in which archives lie, as a folder; a folder without any as it is.

    The folder is temporary and gone after the block. `names_in`: the encoding of a class's zip that doesn't say it.
    Raises PtqlabError for a class archive that can't be read.
    """
    is_folder = submissions.is_dir()
    if not (_has_archives(submissions) if is_folder else submissions.is_file() and is_archive(submissions.name)):
        yield Unpacked(submissions)
        return
    with scratch.folder() as folder:
        name = submissions.absolute().name if is_folder else without_suffix(submissions.name)
        view = Unpacked(Path(folder) / "class" / (name or "class"))
        view.root.mkdir(parents=True)
        if is_folder:
            _copy(submissions, view)
        else:
            record = unpack(submissions, view.root, msgspec.structs.replace(CLASS, names_in=names_in), view)
            if record.problem or record.fault:
                raise PtqlabError(record.problem or record.fault)
        for number, caps in enumerate((STUDENT, NESTED)):
            _unpack_inner(view, Path(folder) / str(number), caps)
        yield view


def _has_archives(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(is_archive(entry.name) and not entry.problem and entry.path for entry in tree.entries(folder))
    return False


def _copy(source: Path, view: Unpacked) -> None:
    """The files of a class's folder: nothing is unpacked beside what was handed in."""
    for entry in tree.entries(source):
        if entry.problem or entry.path is None:
            view.refused.append(entry)
            continue
        target = view.root / entry.path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy_start(entry.path, target)
        except UnreadableError as error:
            view.refuse(entry.parts, str(error))


def _copy_start(path: Path, target: Path) -> None:
    """Copy a regular file, or as much of it as tells what it is."""
    with opened_file(path, capped=False) as source, target.open("wb") as copy:
        most = start_of(path.name)
        if most is None:
            shutil.copyfileobj(source, copy, _CHUNK)
        else:
            copy.write(source.read(most))


def _unpack_inner(view: Unpacked, taken: Path, caps: Caps) -> None:
    """Each archive below the root becomes a folder of its name."""
    counts: Counter[tuple[str, ...]] = Counter()
    inner = [entry for entry in tree.entries(view.root) if is_archive(entry.name) and not entry.is_folder]
    for number, entry in enumerate(inner):
        if entry.path is None or entry.problem:
            continue
        above = next((entry.parts[:at] for at in range(1, len(entry.parts)) if is_archive(entry.parts[at - 1])), None)
        if above is not None:
            counts[above] += 1
            if counts[above] > MOST_NESTED:
                entry.path.unlink()
                view.refuse(
                    entry.parts, f"{above[-1]} holds more than {MOST_NESTED} archives; hand in the files themselves."
                )
                continue
        archive = taken / str(number) / entry.path.name
        archive.parent.mkdir(parents=True)
        entry.path.rename(archive)
        entry.path.mkdir()
        own = Unpacked(entry.path)
        record = unpack(archive, entry.path, caps, own)
        if record.problem or record.fault:
            view.refuse(entry.parts, record.fault or f"{record.problem} Hand it in anew.", bool(record.fault))
        for each in own.refused:
            view.refuse((*entry.parts, *each.parts), f"In {entry.name}, {each.problem}")
        shutil.rmtree(archive.parent)


def unpack(archive: Path, into: Path, caps: Caps, view: Unpacked) -> Record:
    """Lay out an archive's files below `into`; the record says why nothing was. What is refused is kept in `view`."""
    with tempfile.TemporaryFile(dir=into) as store:
        record = reading.unpack(archive, caps, store)
        if record.encoding not in ("", "utf-8"):
            view.notes.append(f"The names in {_shown(record.name)} were read as {record.encoding}.")
        if not (record.problem or record.fault):
            _lay_out(record.members, store, into, caps, view)
    return record


def _lay_out(members: Sequence[Member], store: IO[bytes], into: Path, caps: Caps, view: Unpacked) -> None:
    """Copy each member to its place. The child that wrote them is not believed: what it says is held to the caps."""
    seen: dict[str, Path] = {}
    left = caps.all_bytes
    for member in members[: caps.entries]:
        try:
            if member.why:
                raise RefusedEntryError(member.why)
            left -= member.size
            if member.size > caps.file_bytes or left < 0:
                raise RefusedEntryError("is larger than what is unpacked")
            target = _place(member.name, into, seen)
        except RefusedEntryError as error:
            view.refuse(_parts_shown(member.name), f"{_shown(member.name)} {error}.")
        else:
            if target is not None:
                _copy_out(store, member, target)


def _copy_out(store: IO[bytes], member: Member, target: Path) -> None:
    store.seek(member.start)
    left = member.size
    with target.open("wb") as file:
        while chunk := store.read(min(left, _CHUNK)):
            left -= file.write(chunk)


def _place(name: str, into: Path, seen: dict[str, Path]) -> Path | None:
    """Where an entry goes; None for what nobody needs. Raises RefusedEntryError for what must not be unpacked."""
    parts = _plain_parts(name)
    if any(map(is_hidden, parts)):
        return None
    first, *below = parts  # two students' names may differ in case alone
    key = "/".join((first, *(composed(part).casefold() for part in below)))
    if key in seen:
        seen[key].unlink(missing_ok=True)  # which one counts is not for an unpacker to say
        raise RefusedEntryError("is in the archive twice; hand in one file of that name")
    target = into.joinpath(*parts)
    if any(parent in seen.values() for parent in target.parents) or target.is_dir():
        raise RefusedEntryError("is a file and a folder at once")
    seen[key] = target
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _plain_parts(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    odd = any(part in ("", ".", "..", "/") or "\\" in part for part in parts)
    if not parts or odd or name.startswith("/") or _DRIVE.fullmatch(parts[0]):
        raise RefusedEntryError("has no plain name below the archive's own folder")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise RefusedEntryError("has no plain name below the archive's own folder")
    if len(parts) > DEPTH + 1 or any(len(part.encode("utf-8")) > _LONGEST_PART for part in parts):
        raise RefusedEntryError("lies too deep, or has too long a name")
    return parts


def _parts_shown(name: str) -> tuple[str, ...]:
    """The path of an entry that is refused; one part that no file can have, where its name is not plain."""
    try:
        return _plain_parts(name)
    except RefusedEntryError:
        return (f"/{_shown(name)}",)


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:120]
