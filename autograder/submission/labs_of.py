"""Which labs a file belongs to: by the graded names and handed-out cells that it holds, and then by its name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autograder.submission.record import Look

ENOUGH_IDS = 3  # handed-out cells that tell a lab
_WORDS = re.compile(r"[\W_]+")
_MARK = (
    r"(?:\(\d+\)|copy(?:[\W_]*\d+)?|of|final|new|old|fixed|done|submission|submit|v\d+|ipynb|kopie|的?副本|複製)"
    r"(?![^\W_])"
)
_MARKS = re.compile(rf"\A(?:[\W_]*?{_MARK})+|(?:(?<![^\W_]){_MARK}[\W_]*)+\Z", re.IGNORECASE)  # of a copy
_EDGES = " _-."
_LANGUAGE = re.compile(r"\.zh-TW$", re.IGNORECASE)
_SUFFIX = re.compile(r"(\.ipynb(\.\w{1,5})?|\.py|\.txt|\.json)$", re.IGNORECASE)


@dataclass(frozen=True)
class Belongs:
    """The labs of a file; `by_content`: what it holds tells them, and not its name. `note`: where the two differ."""

    labs: tuple[str, ...] = ()
    by_content: bool = False
    note: str = ""


def labs_of(look: Look, name: str, graded: Mapping[str, int]) -> Belongs:
    """Return the labs of a file that is called `name`. `graded`: lab -> the number of its graded names.

    The lab with the largest share of its names bound, and then with the most handed-out cells, is first. A name that
    says a lab decides where no lab is first, and where little of the other one is there. A file with half of the names
    of several labs belongs to each of them.
    """
    named = lab_named(name, tuple(graded))
    ranked = sorted(graded, key=lambda lab: _rank(look, lab, graded), reverse=True)
    first = ranked[0] if ranked and _tells(look, ranked[0]) else ""
    if first and len(ranked) > 1 and _rank(look, first, graded) == _rank(look, ranked[1], graded):
        first = ""
    several = tuple(lab for lab in graded if _is_own(look, lab, graded[lab]))
    if len(several) > 1:
        return Belongs(several, by_content=True)
    if not named or named == first:
        return Belongs((first,) if first else (), bool(first))
    is_clear = first and (_has_half(look, first, graded[first]) or look.ids.get(first, 0) >= ENOUGH_IDS)
    if is_clear and not look.names.get(named) and not look.ids.get(named):
        return Belongs(
            (first,), True, f"{name} is named like {named}, and is {first} by what it holds: it counts there."
        )
    return Belongs((named,), bool(look.names.get(named) or look.ids.get(named)))


def _rank(look: Look, lab: str, graded: Mapping[str, int]) -> tuple[float, int]:
    return len(look.names.get(lab, ())) / max(1, graded[lab]), look.ids.get(lab, 0)


def _tells(look: Look, lab: str) -> bool:
    return bool(look.names.get(lab)) or look.ids.get(lab, 0) >= ENOUGH_IDS


def _has_half(look: Look, lab: str, graded: int) -> bool:
    return 2 * len(look.names.get(lab, ())) >= graded


def _is_own(look: Look, lab: str, graded: int) -> bool:
    """Whether this is an answer to a lab, and not another lab's that holds some of its functions."""
    bound = len(look.names.get(lab, ()))
    return bound == graded or (_has_half(look, lab, graded) and look.ids.get(lab, 0) >= ENOUGH_IDS)


def lab_named(name: str, labs: Sequence[str]) -> str:
    """Return the lab that a file or a folder is named like, whatever stands around it; "" for none."""
    words = _joined(name)
    return next((lab for lab in labs if f"_{_joined(lab)}_" in f"_{words}_"), "")


def person_named(name: str, labs: Sequence[str]) -> str:
    """Return what a file's name holds beside a lab's name and the marks of a copy: "ann" of "ann_01_first (1).ipynb".

    A name without a lab's is a person's as it is.
    """
    stem = stem_of(name)
    lab = lab_named(stem, labs)
    if not lab:
        return stem
    pattern = r"[\W_]+".join(re.escape(word) for word in _joined(lab).split("_"))
    rest = re.sub(pattern, " ", unicodedata.normalize("NFC", stem), count=1, flags=re.IGNORECASE)
    return _MARKS.sub("", rest.strip(_EDGES)).strip(f"{_EDGES}()「」")


def stem_of(name: str) -> str:
    """Return a file's name without its suffix and its language."""
    return _LANGUAGE.sub("", _SUFFIX.sub("", name))


def _joined(name: str) -> str:
    return _WORDS.sub("_", unicodedata.normalize("NFC", name).casefold()).strip("_")
