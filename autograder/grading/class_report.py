"""The class's page, made from a folder of grades: its reports, and the code of its submissions where that is at hand.

Reports hold no code. What comparing it takes is kept beside them in fingerprints.json: names, comments and strings are
gone from it (similarity.py), and the page can be made again without the submissions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autograder.grading import similarity
from autograder.grading.intake import Found, file_name
from autograder.records import Exercise, PtqlabError, Report
from autograder.report.atomic import write_atomically
from autograder.report.class_data import Alike, ExerciseTally, Tallies
from autograder.report.class_page import class_to_html
from autograder.report.to_json import report_from_json
from autograder.submission.notebook import UnreadableError, _sources, read_bytes

PAGE = "class.html"
FINGERPRINTS = "fingerprints.json"
_FORMAT = 1  # of the fingerprints; raised when what they are made of changes

_Kept = dict[str, dict[str, str]]  # "student's folder/exercise" -> {"student", "exercise", "sha256", "code"}


@dataclass(frozen=True)
class Code:
    """A submission's code as it is compared, and the sha256 of the file that it was made from."""

    sha256: str
    fingerprint: str


class Gathered:
    """What the page takes of reports, each added while it is at hand; reading all of them again takes far longer."""

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.digests: dict[str, str] = {}  # which submission each report is about
        self._codes: dict[str, tuple[str, int, int]] = {}  # sha256, and where its fingerprint stands
        self._fingerprints = (
            bytearray()
        )  # end to end: thousands of strings between what comes and goes would hold its pages

    def add(self, report: Report, code: Code | None = None) -> None:
        """Note a report, and its submission's code if that is known."""
        key = _key(report.student, report.exercise)
        self.tallies.add(quote(f"{key}.html"), report)
        self.digests[key] = report.submission_sha256
        if code is not None:
            self._codes[key] = code.sha256, len(self._fingerprints), len(code.fingerprint)
            self._fingerprints += code.fingerprint.encode("latin-1")

    def code(self, key: str) -> Code | None:
        """A submission's code, if it was there when its report was."""
        if key not in self._codes:
            return None
        sha256, start, size = self._codes[key]
        return Code(sha256, self._fingerprints[start : start + size].decode("latin-1"))


def write_class_report(
    out: Path,
    exercises: Sequence[Exercise],
    found: Iterable[Found] = (),
    language: str | None = None,
    gathered: Gathered | None = None,
) -> Path:
    """Write DIR/class.html from every report below `out`, and return its path.

    Those that were `gathered` are not read again.

    `found` are the submissions that can be read now; of the others, what was kept about their code is used. Without a
    `language` the page has the one that the class was graded in. Raises PtqlabError when there is no report, or one is
    damaged.
    """
    gathered = gathered or Gathered()
    for path in sorted(out.glob("*/*.json")):
        if f"{path.parent.name}/{path.stem}" not in gathered.digests:
            gathered.add(report_from_json(path.read_text(encoding="utf-8")))
    tallies = gathered.tallies.all()
    if not tallies:
        raise PtqlabError(f"Expected reports below {out}, but there are none; give the --out folder of `ptqlab grade`.")
    kept = _fingerprints(out, exercises, found, gathered)
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


def _key(student: str, exercise: str) -> str:
    return f"{file_name(student)}/{exercise}"


def _fingerprints(out: Path, exercises: Sequence[Exercise], found: Iterable[Found], gathered: Gathered) -> _Kept:
    """What is known of the graded code: as kept, and made anew for what was handed in since."""
    before, digests = _kept(out), gathered.digests
    kept = {key: entry for key, entry in before.items() if digests.get(key) == entry["sha256"] != ""}
    by_slug = {exercise.slug: exercise for exercise in exercises}
    for item in found:
        key = _key(item.student, item.exercise)
        if item.path is None or key in kept or not digests.get(key):
            continue
        code = gathered.code(key) or _code_at(by_slug[item.exercise], item.path)
        if code.sha256 == digests[key]:
            about = {"student": item.student, "exercise": item.exercise}
            kept[key] = about | {"sha256": code.sha256, "code": code.fingerprint}
    if kept != before:
        write_atomically(out / FINGERPRINTS, json.dumps({"format": _FORMAT, "submissions": kept}) + "\n")
    return kept


def _code_at(exercise: Exercise, path: Path) -> Code:
    """The same as `code_of`; what can't be compared costs nobody the page."""
    try:
        return code_of(exercise, path)
    except Exception:
        return Code("", "")


def code_of(exercise: Exercise, path: Path, data: bytes | None = None) -> Code:
    """What comparing a submission takes; `data` is the file's content, for who has read it already."""
    cells, sha256 = _cells(path, data)
    return Code(sha256, similarity.fingerprint(cells, _handed_out(exercise.folder)))


def _cells(path: Path, data: bytes | None = None) -> tuple[list[str], str]:
    """A notebook's code cells, or a script's text, as the grader reads them, and the file's sha256."""
    try:
        data = read_bytes(path) if data is None else data
        return _sources(path.name, data), hashlib.sha256(data).hexdigest()
    except UnreadableError:
        return [], ""


@cache
def _handed_out(exercise: Path) -> frozenset[str]:
    """The definitions that everybody has, because they stand in the notebooks as handed out."""
    books = sorted(exercise.glob("*.ipynb"))
    return frozenset(code for book in books for _, code in similarity.definitions(_cells(book)[0]))


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
