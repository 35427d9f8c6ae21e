"""Students as reports call them -> people in a roster."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from autograder.exports.rosters import Person

# As platforms call files and folders: "Ann Lee_71", "leeann_LATE_71", Brightspace's "71-5 - Ann Lee", Sakai's
# "Lee, Ann(alee9)"
_CALLED = (
    re.compile(r"(?P<number>\d+)-\d+ - (?P<name>.+)"),
    re.compile(r"(?P<name>.+?)\s*\((?P<number>[^()]+)\)"),
    re.compile(r"(?P<name>.+?)(?:_late)?_(?P<number>[^\W_]*\d[^\W_]*)", re.IGNORECASE),
)
_ANONYMOUS = re.compile(r"anon_(?P<id>[^\W_]+)")  # Canvas's, in which a and A are different letters
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´"))  # Zoe O'Brien, as keyboards spell her
_WRAPPED = re.compile(r'="(.*)"')  # Canvas's own guard around a name that would be a formula


@dataclass(frozen=True)
class Matched:
    """Who is who: the person of each student, and a sentence for each student who is left out."""

    people: dict[str, Person]
    left_out: dict[str, str]


def match(students: Sequence[str], people: Sequence[Person]) -> Matched:
    """Find each student in the roster. Nobody is guessed: who may be two people, or shares one, is left out."""
    hits = {student: _find(student, people) for student in dict.fromkeys(students)}
    left_out = {student: _why(student, len(found)) for student, found in hits.items() if len(found) != 1}
    owners: dict[int, list[str]] = {}
    for student, found in hits.items():
        if len(found) == 1:
            owners.setdefault(id(found[0]), []).append(student)
    for sharing in owners.values():
        for student in sharing if len(sharing) > 1 else ():
            others = ", ".join(other for other in sharing if other != student)
            left_out[student] = f"has the same row of the roster as {others}; keep one"
    return Matched({student: found[0] for student, found in hits.items() if student not in left_out}, left_out)


def _why(student: str, count: int) -> str:
    if count:
        return f"may be {count} people of the roster; use unique names"
    if _ANONYMOUS.fullmatch(student):
        return "is anonymous, and Canvas's gradebook export has no anonymous ids; reveal the names and collect again"
    return "is not in the roster"


def _find(student: str, people: Sequence[Person]) -> list[Person]:
    """The people whom this student may be, by the first of these ways that finds any.

    A cell is what the student is called, or an address before whose @ it stands. Or the name is theirs: words in any
    order, since "Lee, Ann" of Canvas is "Ann Lee" of Moodle. Of several of one name the number decides, else the order
    of the words. The number alone decides nothing: another class's number is another person's here.
    """
    if anonymous := _ANONYMOUS.fullmatch(student):
        return [person for person in people if {student, anonymous["id"]} & {*map(str.strip, person.ids)}]
    key = _key(student)
    called = next((hit for pattern in _CALLED if (hit := pattern.fullmatch(key))), None)
    name, number = (called["name"], called["number"]) if called else (key, "")
    ways: tuple[Callable[[], list[Person]], ...] = (
        lambda: [person for person in people if key in {*map(_key, (*person.ids, *person.names))}],
        lambda: [person for person in people if _joined(key) == _joined(person.ids[0]) != _joined(person.number)],
        lambda: [person for person in people if key.isdigit() and _bare(key) == _bare(person.number)],
        lambda: [person for person in people if key in {_key(cell).partition("@")[0] for cell in person.ids}],
        lambda: _of_a_name(name, number, people),
        lambda: _of_a_group(name, number, people),
    )
    return next((found for way in ways if (found := way())), [])


def _of_a_name(name: str, number: str, people: Sequence[Person]) -> list[Person]:
    """Everybody of this name; of several, who has the number, else whose words come in this order.

    Where these are two people, both: the number may be another assignment's.
    """
    equal = [person for person in people if any(_spellings(name) & _spellings(cell) for cell in person.names)]
    numbered = [person for person in equal if number and _bare(number) in map(_bare, (person.number, *person.ids))]
    same_words = [person for person in equal if any(sorted(_words(name)) == sorted(_words(c)) for c in person.names)]
    same_order = [person for person in same_words if any(_words(name) == _words(cell) for cell in person.names)]
    if numbered and same_order and not any(person in numbered for person in same_order):
        return [*numbered, *same_order]
    return next((found for found in (numbered, same_order, same_words) if found), equal)


def _of_a_group(name: str, number: str, people: Sequence[Person]) -> list[Person]:
    """Moodle writes the group in front where there are any, "Group A-Ann Lee_71": then the number must be right."""
    ends = [name[hit.end() :] for hit in re.finditer("-", name)]
    return [
        person
        for person in people
        if number
        and _bare(number) == _bare(person.number)
        and any(_of_a_name(end, number, [person]) or _joined(end + number) == _joined(person.ids[0]) for end in ends)
    ]


def _bare(number: str) -> str:
    return _key(number).lstrip("0")


@lru_cache(maxsize=65536)
def _key(text: str) -> str:
    """One spelling of a text, whichever system and keyboard wrote it."""
    plain = text.strip()
    wrapped = _WRAPPED.fullmatch(plain)
    return unicodedata.normalize("NFKC", wrapped[1] if wrapped else plain).casefold()


@lru_cache(maxsize=65536)
def _words(name: str) -> tuple[str, ...]:
    """A name's words: letters and digits with their marks, which tell names of many scripts apart."""
    kept = (char if unicodedata.category(char)[0] in "LNM" else " " for char in _key(name).translate(_APOSTROPHES))
    return tuple("".join(kept).split())


def _joined(name: str) -> str:
    return "".join(_words(name))


@lru_cache(maxsize=65536)
def _spellings(name: str) -> frozenset[str]:
    """A name's words sorted, and put together from each of them on: Canvas calls the files of "Lee, Ann" leeann."""
    words = _words(name)
    rotated = ("".join(words[place:] + words[:place]) for place in range(len(words)))
    return frozenset((" ".join(sorted(words)), *rotated)) if words else frozenset()
