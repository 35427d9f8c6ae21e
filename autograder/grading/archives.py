"""Archives of submissions, as learning platforms hand them out: laid out by an allow-list in a folder of our own.

A bounded child unpacks (sandbox/unpacking.py); here it is decided what a name means. What comes out of an archive is
regular files with plain names, and of these only notebooks, scripts and the archives that students handed in. No
links, no devices, no absolute or climbing paths, no name twice. What is refused is said, of the student whose it is
where that can be told.
"""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.grading.intake import Found
from autograder.records import PtqlabError
from autograder.sandbox import reading, scratch
from autograder.sandbox.unpacking import ARCHIVES, CODE, Caps, is_archive
from autograder.submission.record import Member, Record

DEPTH = 8  # folders above a file
_CHUNK = 1 << 20
_LONGEST_PART = 255  # bytes; what file systems allow
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(file|onlinetext)_?")
_CANVAS = re.compile(r"(?P<name>[^_]+)(_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)")
_AGAIN = re.compile(r"-\d+(?=\.\w+$)")  # Canvas marks a file that was handed in again


CLASS = Caps(entries=200_000, file_bytes=200 << 20, all_bytes=8 << 30, cpu_s=300)
STUDENT = Caps(entries=2_000, file_bytes=200 << 20, all_bytes=200 << 20, cpu_s=10)


class RefusedEntryError(Exception):
    """An archive, or an entry of it, that is not unpacked; the text says why."""


@dataclass
class Unpacked:
    """A folder to look for submissions in, and what was refused: by student, and what belongs to nobody."""

    root: Path
    problems: dict[str, str] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)  # students whose archive our own fault kept from being unpacked
    notes: list[str] = field(default_factory=list)

    def explain(self, found: Sequence[Found]) -> tuple[Found, ...]:
        """The rows, where a student without a file is told what was wrong with the archive."""
        return tuple(self._explained(row) for row in found)

    def _explained(self, row: Found) -> Found:
        problem = self.problems.get(row.student)
        if problem is None or row.path is not None:
            return row
        return replace(row, problem=problem, withheld=row.student in self.withheld)

    def refuse(self, student: str, sentence: str) -> None:
        """Remember the first thing that was wrong with a student's archive or, without a student, with the class's."""
        if student:
            self.problems.setdefault(student, sentence)
            with contextlib.suppress(FileExistsError):  # a file may be called like the folder
                (self.root / student).mkdir()  # a row for each student, also for one without a file
        else:
            self.notes.append(sentence)


@contextlib.contextmanager
def opened(submissions: Path) -> Iterator[Unpacked]:
    """A class's archive, or a folder in which students' archives lie, as a folder; a folder without any as it is.

    The folder is temporary and gone after the block. Raises PtqlabError for a class archive that can't be read.
    """
    inner = _students_archives(submissions) if submissions.is_dir() else []
    if not inner and not (submissions.is_file() and is_archive(submissions.name)):
        yield Unpacked(submissions)
        return
    with scratch.folder() as folder:
        view = Unpacked(Path(folder) / _without_suffix(submissions.name))
        view.root.mkdir()
        if submissions.is_dir():
            _copy(submissions, view.root)
        else:
            record = unpack(submissions, view.root, CLASS, view)
            if record.problem or record.fault:
                raise PtqlabError(record.problem or record.fault)
        _unpack_students(view)
        yield view


def _without_suffix(name: str) -> str:
    found = [suffix for suffix in ARCHIVES if name.lower().endswith(suffix)]
    return name[: -max(map(len, found))] if found else name


def _students_archives(folder: Path) -> list[Path]:
    """At most one folder deep. None that is hidden: `...zip` without its suffix is the folder above."""
    found = [*folder.glob("*"), *folder.glob("*/*")]
    wanted = (path for path in found if is_archive(path.name) and not path.name.startswith("."))
    return sorted(path for path in wanted if path.is_file() and not path.is_symlink())


def _copy(source: Path, target: Path) -> None:
    """The code and the archives of a class's folder: nothing is unpacked beside what was handed in."""
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        wanted = path.name.lower().endswith(CODE) or is_archive(path.name)
        if wanted and len(parts) <= DEPTH and path.is_file() and not path.is_symlink():
            (target / Path(*parts)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / Path(*parts))


def _unpack_students(view: Unpacked) -> None:
    """One level of archives within: `<student>.zip`, or any archive in a student's folder."""
    flat = bool(_code_below(view.root, "*"))
    for path in _students_archives(view.root):
        above = path.parent
        student = above.name if above != view.root else _without_suffix(path.name)
        folder = view.root / student
        beside = flat and any(each.name.lower().endswith(CODE) for each in view.root.glob(f"{glob.escape(student)}.*"))
        if folder.is_file() or beside or _code_below(folder, "**/*"):
            view.notes.append(f"{student}/ holds notebooks or scripts, and {path.name}, which was not opened.")
            continue
        folder.mkdir(exist_ok=True)
        own = Unpacked(folder)
        record = unpack(path, folder, STUDENT, own)
        if record.problem or record.fault:
            view.withheld |= {student} if record.fault else set()
            view.refuse(student, record.fault or f"{record.problem} Hand it in anew.")
        for sentence in own.notes:
            view.refuse(student, f"In {path.name}, {sentence}")
        path.unlink(missing_ok=True)
        if flat and above == view.root and folder.is_dir():
            _lay_flat(view, student)


def _code_below(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.glob(pattern) if path.name.lower().endswith(CODE) and path.is_file()]


def _lay_flat(view: Unpacked, student: str) -> None:
    """Where students' files lie beside each other, an archive's one file becomes one more of them."""
    code = _code_below(view.root / student, "**/*")
    if len(code) == 1:
        code[0].rename(view.root / f"{student}{code[0].suffix.lower()}")
    else:
        view.notes.append(f"{student}'s archive holds {len(code)} notebooks or scripts, and not one; it is not graded.")
    shutil.rmtree(view.root / student)


def unpack(archive: Path, into: Path, caps: Caps, view: Unpacked) -> Record:
    """Lay out what is wanted of an archive below `into`; the record says why nothing was.

    A class's archive names students in its first folder; entries that are refused are noted with `view`.
    """
    with tempfile.TemporaryFile(dir=into) as store:
        record = reading.unpack(archive, caps, store)
        if caps is CLASS and record.encoding not in ("", "utf-8"):
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
            target = _place(member.name, into, seen, caps)
        except RefusedEntryError as error:
            student = _student_of(member.name) if caps is CLASS else ""
            view.refuse(student, f"{_shown(member.name)} {error}.")
        else:
            if target is not None:
                _copy_out(store, member, target)


def _copy_out(store: IO[bytes], member: Member, target: Path) -> None:
    store.seek(member.start)
    left = member.size
    with target.open("wb") as file:
        while chunk := store.read(min(left, _CHUNK)):
            left -= file.write(chunk)


def _place(name: str, into: Path, seen: dict[str, Path], caps: Caps) -> Path | None:
    """Where an entry goes; None for what nobody needs. Raises RefusedEntryError for what must not be unpacked."""
    parts = _renamed(_plain_parts(name))
    if not (parts[-1].lower().endswith(CODE) or is_archive(parts[-1])) or any(_is_ours(part) for part in parts):
        return None
    own = 1 if caps is CLASS else 0  # whose folder it is: two students' names may differ in case alone
    key = "/".join((*parts[:own], unicodedata.normalize("NFC", "/".join(parts[own:])).casefold()))
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
    odd = any(part in ("", ".", "..", "/") or ":" in part or "\\" in part for part in parts)
    if not parts or odd or name.startswith("/") or any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise RefusedEntryError("has no plain name below the archive's own folder")
    if len(parts) > DEPTH + 1 or any(len(part.encode("utf-8")) > _LONGEST_PART for part in parts):
        raise RefusedEntryError("lies too deep, or has too long a name")
    return parts


def _renamed(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Moodle's and Canvas's names, as `<student>/<file>`."""
    if len(parts) > 1 and (found := _MOODLE.fullmatch(parts[0])):
        return f"{found['name']}_{found['id']}", *parts[1:]
    if len(parts) == 1 and (found := _CANVAS.fullmatch(parts[0])):
        return f"{found['name']}_{found['id']}", _AGAIN.sub("", found["file"])
    return parts


def _is_ours(part: str) -> bool:
    return part.startswith(".") or part in ("__MACOSX", "__pycache__")


def _student_of(name: str) -> str:
    """The student whose folder a class archive's entry lies in; empty when its name does not tell."""
    with contextlib.suppress(RefusedEntryError):
        parts = _renamed(_plain_parts(name))
        return parts[0] if len(parts) > 1 else ""
    return ""


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:120]
