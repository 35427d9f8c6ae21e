"""Students as reports call them -> people in a roster."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from autograder.exports.rosters import Person

# As platforms call files and folders: "Ann Lee_71", "leeann_LATE_71", Brightspace's "71-5 - Ann Lee", Sakai's
# "Lee, Ann(alee9)"
_CALLED = (
    re.compile(r"(?P<number>\d+)-\d+ - (?P<name>.+)"),
    re.compile(r"(?P<name>.+?)\s*\((?P<number>[^()]+)\)"),
    re.compile(r"(?P<name>.+?)(?:_late)?_(?P<number>[^\W_]*\d[^\W_]*)", re.IGNORECASE),
)
_ANONYMOUS = re.compile(r"(LATE_)?(?P<name>anon_(?P<id>[^\W_]+))")  # Canvas's, in which a and A are different letters
_Index: TypeAlias = Mapping[tuple[str, str], list[Person]]


@dataclass(frozen=True)
class Matched:
    """Who is who: the person of each student, and a sentence for each student who is left out."""

    people: dict[str, Person]
    left_out: dict[str, str]


def match(students: Sequence[str], people: Sequence[Person]) -> Matched:
    """Find each student in the roster. Nobody is guessed: who may be two people, or shares one, is left out."""
    index = _index(people)
    hits = {student: _find(student, index) for student in dict.fromkeys(students)}
    left_out = {student: _why(student, len(persons)) for student, persons in hits.items() if len(persons) != 1}
    owners: dict[int, list[str]] = {}
    for student, persons in hits.items():
        if len(persons) == 1:
            owners.setdefault(id(persons[0]), []).append(student)
    for sharing in owners.values():
        for student in sharing if len(sharing) > 1 else ():
            others = ", ".join(other for other in sharing if other != student)
            left_out[student] = f"has the same row of the roster as {others}; keep one"
    return Matched({student: persons[0] for student, persons in hits.items() if student not in left_out}, left_out)


def _why(student: str, count: int) -> str:
    if count:
        return f"may be {count} people of the roster; use unique names"
    if _ANONYMOUS.fullmatch(student):
        return "is anonymous, and Canvas's gradebook export has no anonymous ids; reveal the names and collect again"
    return "is not in the roster"


def _index(people: Sequence[Person]) -> _Index:
    """The people by everything that a student may be called: kind of name, name."""
    index: dict[tuple[str, str], list[Person]] = {}
    for person in people:
        keys = {
            *(("exact", cell.strip()) for cell in person.ids),
            *(("cell", _key(cell)) for cell in (*person.ids, *person.names)),
            *(("address", _key(cell).partition("@")[0]) for cell in person.ids),
            *(("name", spelling) for cell in person.names for spelling in _spellings(cell)),
            ("number", _bare(person.number)),
            ("label", _joined(person.ids[0])),  # "Participant 71", and not the number alone
        }
        for key in keys:
            index.setdefault(key, []).append(person)
    return index


def _find(student: str, index: _Index) -> list[Person]:
    """The people whom this student may be, by the first of these ways that finds any.

    A cell is what the student is called, or an address before whose @ it stands. Or the name is theirs: words in any
    order, since "Lee, Ann" of Canvas is "Ann Lee" of Moodle. Of several of one name the number decides, else the order
    of the words. The number alone decides nothing: another class's number is another person's here.
    """
    if anonymous := _ANONYMOUS.fullmatch(student):
        return _union(index, [("exact", anonymous["name"]), ("exact", anonymous["id"])])
    key = _key(student)
    called = next((hit for pattern in _CALLED if (hit := pattern.fullmatch(key))), None)
    name, number = (called["name"], called["number"]) if called else (key, "")
    ways = [
        ("cell", key),
        ("label", _joined(key)),
        *([("number", _bare(key))] if key.isdigit() else []),
        ("address", key),
    ]
    looked_up = next((index[way] for way in ways if way in index), [])
    return looked_up or _of_a_name(name, number, index) or _of_a_group(name, number, index)


def _of_a_name(name: str, number: str, index: _Index) -> list[Person]:
    """Everybody of this name; of several, who has the number, else whose words come in this order.

    Where these are two people, both: the number may be another assignment's.
    """
    equal = _union(index, [("name", spelling) for spelling in sorted(_spellings(name))])
    numbered = [person for person in equal if number and _bare(number) in map(_bare, (person.number, *person.ids))]
    same_words = [person for person in equal if any(sorted(_words(name)) == sorted(_words(c)) for c in person.names)]
    same_order = [person for person in same_words if any(_words(name) == _words(cell) for cell in person.names)]
    if numbered and same_order and not any(person in numbered for person in same_order):
        return [*numbered, *same_order]
    return next((persons for persons in (numbered, same_order, same_words) if persons), equal)


def _of_a_group(name: str, number: str, index: _Index) -> list[Person]:
    """Moodle writes the group in front where there are any, "Group A-Ann Lee_71": then the number must be right."""
    ends = [name[hit.end() :] for hit in re.finditer("-", name)]
    members = [
        *(person for end in ends for person in _of_a_name(end, number, index)),
        *_union(index, [("label", _joined(end + number)) for end in ends]),
    ]
    numbered = [person for person in members if number and _bare(number) == _bare(person.number)]
    return list({id(person): person for person in numbered}.values())


def _union(index: _Index, keys: Sequence[tuple[str, str]]) -> list[Person]:
    return list({id(person): person for key in keys for person in index.get(key, [])}.values())


def _bare(number: str) -> str:
    return _key(number).lstrip("0")


@lru_cache(maxsize=65536)
def _key(text: str) -> str:
    """One spelling of a text, whichever system and keyboard wrote it."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


@lru_cache(maxsize=65536)
def _words(name: str) -> tuple[str, ...]:
    """A name's words: letters and digits with their marks, which tell names of many scripts apart."""
    kept = (char if unicodedata.category(char)[0] in "LNM" else " " for char in _key(name))
    return tuple("".join(kept).split())


def _joined(name: str) -> str:
    return "".join(_words(name))


@lru_cache(maxsize=65536)
def _spellings(name: str) -> frozenset[str]:
    """A name's words sorted, and put together from each of them on: Canvas calls the files of "Lee, Ann" leeann."""
    words = _words(name)
    rotated = ("".join(words[place:] + words[:place]) for place in range(len(words)))
    return frozenset((" ".join(sorted(words)), *rotated)) if words else frozenset()
