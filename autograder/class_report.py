"""The class's page, made from a folder of grades: its reports, and the code of its submissions where that is at hand.

Reports hold no code. What comparing it takes is kept beside them in fingerprints.json: names, comments and strings are
gone from it (similarity.py), and the page can be made again without the submissions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autograder import similarity
from autograder.intake import Found, file_name
from autograder.model import Exercise, PtqlabError, Report
from autograder.notebook import UnreadableError, _sources, read_bytes
from autograder.report import report_from_json, write_atomically
from autograder.report.class_data import Alike, ExerciseTally, tally
from autograder.report.class_page import class_to_html

PAGE = "class.html"
FINGERPRINTS = "fingerprints.json"
_FORMAT = 1  # of the fingerprints; raised when what they are made of changes

_Kept = dict[str, dict[str, str]]  # "student's folder/exercise" -> {"student", "exercise", "sha256", "code"}


def write_class_report(
    out: Path,
    exercises: Sequence[Exercise],
    found: Iterable[Found] = (),
    language: str | None = None,
) -> Path:
    """Write DIR/class.html from every report below `out`, and return its path.

    `found` are the submissions that can be read now; of the others, what was kept about their code is used. Without a
    `language` the page has the one that the class was graded in. Raises PtqlabError when there is no report, or one is
    damaged.
    """
    digests: dict[str, str] = {}
    tallies = tally(_linked(out, digests))
    if not tallies:
        raise PtqlabError(f"Expected reports below {out}, but there are none; give the --out folder of `ptqlab grade`.")
    kept = _fingerprints(out, exercises, found, digests)
    can_compare = find_spec("rapidfuzz") is not None
    if can_compare:
        tallies = tuple(_compared(each, kept) for each in tallies)
    page = class_to_html(tallies, language or _language(out), least=similarity.NEAR_IDENTICAL, can_compare=can_compare)
    write_atomically(out / PAGE, page)
    return out / PAGE


def _language(out: Path) -> str:
    """The language that is kept beside the grades; English where there is none."""
    try:
        kept = json.loads((out / "assignment.json").read_text(encoding="utf-8"))
        return "zh-TW" if kept["language"] == "zh-TW" else "en"
    except (OSError, ValueError, LookupError, TypeError):
        return "en"


def _linked(out: Path, digests: dict[str, str]) -> Iterator[tuple[str, Report]]:
    """Each report and its page's address; notes in `digests` which submission it is about."""
    for path in sorted(out.glob("*/*.json")):
        report = report_from_json(path.read_text(encoding="utf-8"))
        digests[_key(report.student, report.exercise)] = report.submission_sha256
        yield quote(f"{path.parent.name}/{path.stem}.html"), report


def _key(student: str, exercise: str) -> str:
    return f"{file_name(student)}/{exercise}"


def _fingerprints(
    out: Path, exercises: Sequence[Exercise], found: Iterable[Found], digests: Mapping[str, str]
) -> _Kept:
    """What is known of the graded code: as kept, and made anew for what was handed in since."""
    before = _kept(out)
    kept = {key: entry for key, entry in before.items() if digests.get(key) == entry["sha256"] != ""}
    by_slug = {exercise.slug: exercise for exercise in exercises}
    handed_out: dict[str, frozenset[str]] = {}
    for item in found:
        key = _key(item.student, item.exercise)
        if item.path is None or key in kept or not digests.get(key):
            continue
        cells, sha256 = _code(item.path)
        if item.exercise not in handed_out:
            handed_out[item.exercise] = _handed_out(by_slug[item.exercise])
        if sha256 == digests[key]:
            code = similarity.fingerprint(cells, handed_out[item.exercise])
            kept[key] = {"student": item.student, "exercise": item.exercise, "sha256": sha256, "code": code}
    if kept != before:
        write_atomically(out / FINGERPRINTS, json.dumps({"format": _FORMAT, "submissions": kept}) + "\n")
    return kept


def _code(path: Path) -> tuple[list[str], str]:
    """A notebook's code cells, or a script's text, as the grader reads them, and the file's sha256."""
    try:
        data = read_bytes(path)
        return _sources(path.name, data), hashlib.sha256(data).hexdigest()
    except UnreadableError:
        return [], ""


def _handed_out(exercise: Exercise) -> frozenset[str]:
    """The definitions that everybody has, because they stand in the notebooks as handed out."""
    books = sorted(exercise.folder.glob("*.ipynb"))
    return frozenset(code for book in books for _, code in similarity.definitions(_code(book)[0]))


def _kept(out: Path) -> _Kept:
    """The fingerprints beside the grades; none where there is no such file, or one of another format."""
    try:
        data: Any = json.loads((out / FINGERPRINTS).read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            return {}
        fields = ("student", "exercise", "sha256", "code")
        return {str(key): {field: str(entry[field]) for field in fields} for key, entry in data["submissions"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _compared(exercise: ExerciseTally, kept: _Kept) -> ExerciseTally:
    codes = {entry["student"]: entry["code"] for entry in kept.values() if entry["exercise"] == exercise.slug}
    if not codes:
        return exercise
    long_enough = sum(len(code) >= similarity.LEAST_TOKENS for code in codes.values())
    alike = tuple(Alike(group.members, group.similarity) for group in similarity.groups(codes))
    return replace(exercise, alike=alike, compared=long_enough)
