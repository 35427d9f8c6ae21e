"""Owners of files, told by the names that learning platforms give to folders and files. Pure: no file is opened.

Each platform's pattern stands below with the source of its names. All names are composed (NFC) as they come in, since
a Mac writes them decomposed.
"""

from __future__ import annotations

import hashlib
import os.path
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from autograder.grading.attempt_time import read_time
from autograder.grading.gradescope_metadata import Submission, Submitter, read_metadata
from autograder.records import PtqlabError


@dataclass(frozen=True)
class Owner:
    """A person, or a group, as a platform's folder or file names them.

    `label` stands in reports and differs for different people; `name` is shown; `number` is the platform's id.
    `attempt` sorts the attempts of one owner (ISO 8601 time); it is "" where the platform hands out one attempt, and
    None where it names a time that can't be read. `rest` is the path below: the name that the student gave the file.
    `others` are the labels of those who handed in together with the owner.
    """

    label: str
    name: str
    number: str = ""
    attempt: str | None = ""
    late: bool = False
    rest: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clues:
    """Facts that only all names together tell: `prefixes` end where a student's entry name begins."""

    blackboard: str = ""
    github: str = ""
    gradescope: Mapping[str, Submission] = field(default_factory=lambda: MappingProxyType({}))


NO_CLUES = Clues()

# Moodle, mod/assign: <group>-<full name>_<number>_assignsubmission_<plugin>_, a folder or in front of a file's name
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z0-9]+(_(?P<file>.*))?")
# Canvas, lib/content_zipper.rb: <sortable name>[_LATE]_<user>_<file>_<name>, or [LATE_]anon_<5 letters>_<file>_<name>
_CANVAS_FILE = r"((?P<file_id>\d+)_(?P<file>.+)|(?P<entry>(text|link)\.html))"
_CANVAS_ANONYMOUS = re.compile(rf"(?P<late>LATE_)?(?P<name>anon_(?P<id>[^\W_]+))_{_CANVAS_FILE}")
_CANVAS = re.compile(rf"(?P<name>.+?)(?P<late>_LATE)?_(?P<id>\d+)_{_CANVAS_FILE}")
_CANVAS_AGAIN = re.compile(r"-\d+(?=\.\w+$)")  # Canvas marks a file that was handed in again
# Blackboard Learn, Download Assignments: <assignment>_<user>_attempt_<time>[_<file>], and <...>_attempt_<time>.txt
_BLACKBOARD = re.compile(r"(?P<who>.+)_attempt_(?P<time>\d{4}(-\d\d){5})(_(?P<file>.+)|\.txt)?")
# Brightspace, Download Submissions: <user>-<dropbox> - <name> - <time>, a folder or in front of a file's name
_BRIGHTSPACE = re.compile(
    r"(?P<id>\d+-\d+) ?- ?(?P<name>.+?) ?- "
    r"(?P<time>[^-]*(?<!\d)\d{4}(?!\d)[^-]*?|\d{4}-\d\d-\d\d\b[^-]*?)( ?- (?P<file>.+))?"
)
_GRADESCOPE = re.compile(r"submission_\d+")


def owner_of(parts: Sequence[str], clues: Clues = NO_CLUES) -> Owner | None:
    """Return the owner that the first of a path's parts names; None where it is not a platform's name."""
    entry, *below = (composed(part) for part in parts)
    rest = tuple(below)
    makers: tuple[Callable[[str, tuple[str, ...], Clues], Owner | None], ...] = (
        _moodle,
        _blackboard,
        _brightspace,
        _gradescope,
        _canvas,
        _github,
    )
    return next((owner for make in makers if (owner := make(entry, rest, clues)) is not None), None)


def clues_of(names: Iterable[str], *, wrapper: str = "", github: bool = False, metadata: str = "") -> Clues:
    """Return the facts that all names of a level tell together.

    `wrapper` is the folder around them, `github` says that they are repositories (each holds .github), and `metadata`
    is the text of Gradescope's submission_metadata.yml.
    """
    level = sorted({composed(name) for name in names})
    attempts = {match["who"] for name in level if (match := _BLACKBOARD.fullmatch(name))}
    return Clues(
        _shared(sorted(attempts), "_"),
        _github_prefix(level, composed(wrapper), github),
        read_metadata(metadata) if metadata else NO_CLUES.gradescope,
    )


def composed(name: str) -> str:
    """Return a name in one spelling (NFC), whichever system wrote it."""
    return unicodedata.normalize("NFC", name)


def _moodle(entry: str, rest: tuple[str, ...], clues: Clues) -> Owner | None:
    match = _MOODLE.fullmatch(entry)
    if match is None:
        return None
    below = (match["file"], *rest) if match["file"] else rest
    return Owner(f"{match['name']}_{match['id']}", match["name"], match["id"], rest=below)


def _canvas(entry: str, rest: tuple[str, ...], clues: Clues) -> Owner | None:
    """A file, never a folder of a student's: ann_2_3_x is a name like others."""
    match = (_CANVAS_ANONYMOUS.fullmatch(entry) or _CANVAS.fullmatch(entry)) if os.path.splitext(entry)[1] else None
    if match is None:
        return None
    file = match["entry"] or _CANVAS_AGAIN.sub("", match["file"])
    is_anonymous = match.re is _CANVAS_ANONYMOUS
    label = match["name"] if is_anonymous else f"{match['name']}_{match['id']}"
    return Owner(label, match["name"], match["id"], late=bool(match["late"]), rest=(file, *rest))


def _blackboard(entry: str, rest: tuple[str, ...], clues: Clues) -> Owner | None:
    """The .txt beside an attempt is Blackboard's receipt: its owner has an empty path."""
    match = _BLACKBOARD.fullmatch(entry)
    if match is None:
        return None
    who = match["who"]
    user = who.removeprefix(clues.blackboard) if clues.blackboard else who.rpartition("_")[2]
    file = (match["file"],) if match["file"] else ()
    return Owner(user, user, attempt=match["time"], rest=(*file, *rest))


def _brightspace(entry: str, rest: tuple[str, ...], clues: Clues) -> Owner | None:
    match = _BRIGHTSPACE.fullmatch(entry)
    if match is None:
        return None
    below = (match["file"], *rest) if match["file"] else rest
    label = f"{match['id']} - {match['name']}"
    return Owner(label, match["name"], match["id"].partition("-")[0], read_time(match["time"]), rest=below)


def _gradescope(entry: str, rest: tuple[str, ...], clues: Clues) -> Owner | None:
    submission = clues.gradescope.get(entry)
    if submission is None:
        return Owner(entry, entry, entry.partition("_")[2], rest=rest) if _GRADESCOPE.fullmatch(entry) else None
    people = [person for person in submission.submitters if person.name or person.email]
    if not people:
        return Owner(entry, entry, attempt=submission.created, rest=rest)
    number = entry.rpartition("_")[2]
    first, *others = people
    labels = tuple(_gradescope_label(person, number) for person in others)
    return Owner(_gradescope_label(first, number), first.name, first.sid, submission.created, rest=rest, others=labels)


def _gradescope_label(person: Submitter, number: str) -> str:
    """The name with the student's number, else the address; a name alone may be two people's."""
    return f"{person.name}_{person.sid}" if person.name and person.sid else person.email or f"{person.name}_{number}"


def _github(entry: str, rest: tuple[str, ...], clues: Clues) -> Owner | None:
    user = entry.removeprefix(clues.github)
    return Owner(user, user, rest=rest) if clues.github and user and user != entry else None


def _github_prefix(level: Sequence[str], wrapper: str, github: bool) -> str:
    """`gh classroom clone` makes <assignment>-submissions/<assignment>-<user>; without that, .github must tell."""
    if wrapper.endswith("-submissions"):
        prefix = wrapper.removesuffix("submissions")
        if all(name.startswith(prefix) for name in level):
            return prefix
    return _shared(level, "-") if github else ""


def _shared(names: Sequence[str], end: str) -> str:
    """The beginning that several names share, up to the last `end`."""
    first, last = min(names, default=""), max(names, default="")  # of sorted names, the two that share the least
    pairs = enumerate(zip(first, last, strict=False))
    length = next((place for place, (first_letter, last_letter) in pairs if first_letter != last_letter), len(first))
    return first[: first.rfind(end, 0, length) + 1] if len(names) > 1 else ""


# --- names of files --------------------------------------------------------------------------------------

_UNSAFE = re.compile(r"[^\w.@+-]")  # \w holds the letters of every script
_ALTERED = re.compile(r"\.*|[.-].*|.*\.|.*-[0-9a-f]{16}|((con|prn|aux|nul|com\d|lpt\d)(\..*)?)", re.IGNORECASE)
_OURS_BESIDE = re.compile(r"(scores\.csv|class\.html|(assignment|fingerprints|intake)\.json)", re.IGNORECASE)
_LONGEST_NAME = 50  # characters of up to four bytes each; file systems allow 255 bytes


def file_name(student: str) -> str:
    """Return a name for `student`'s files: safe on every system, with 64 bits of a hash where it was altered."""
    name = _UNSAFE.sub("_", student)[:_LONGEST_NAME]
    if name == student and not (_ALTERED.fullmatch(name) or _OURS_BESIDE.fullmatch(name)):
        return name
    return f"{name.strip('.-') or 'student'}-{hashlib.sha256(student.encode()).hexdigest()[:16]}"


def file_names(students: Iterable[str], *, ignore_case: bool = False) -> dict[str, str]:
    """Return each student's file name. Raises PtqlabError, naming both, for two students who would share one.

    `ignore_case`: the file system does, and so names that differ in case or in Unicode's spelling alone are one.
    """
    names = {student: file_name(student) for student in students}
    owners: dict[str, str] = {}
    for student, name in names.items():
        other = owners.setdefault(composed(name).casefold() if ignore_case else name, student)
        if other != student:
            raise PtqlabError(
                f"Expected names that differ, but the reports of {other!r} and {student!r} would lie in one folder "
                f"({name}); rename one of the two."
            )
    return names
