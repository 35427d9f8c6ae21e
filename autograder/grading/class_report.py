"""The class on one page, made from a folder of grades: its reports, and its submissions' code where that is at hand.

Reports hold no code. The code as it is compared is kept beside them in fingerprints.json, so that the page can be made
again without the submissions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autograder.grading import similarity, store
from autograder.grading.assignment import kept_language
from autograder.grading.code_fingerprint import Code, code_of
from autograder.grading.found import Found
from autograder.grading.intake import read_intake
from autograder.grading.people import file_name
from autograder.records import Exercise, PtqlabError, Report
from autograder.report.atomic import write_atomically
from autograder.report.class_data import Alike, ExerciseTally, Tallies
from autograder.report.class_page import class_to_html

PAGE = "class.html"
FINGERPRINTS = "fingerprints.json"
_FORMAT = 1  # of the fingerprints; raised when what they are made of changes

_Fingerprints = dict[str, dict[str, str]]  # "student's folder/exercise" -> {"student", "exercise", "sha256", "code"}


class Gathered:
    """The part of reports that the page needs, added while each is at hand; reading them again takes far longer."""

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.digests: dict[str, str] = {}  # of the submission that each report is about
        self._codes: dict[str, tuple[str, int, int]] = {}  # sha256, and the place and length of the fingerprint
        # end to end: thousands of strings among objects that come and go would keep the pages of those
        self._fingerprints = bytearray()

    def add(self, report: Report, code: Code | None = None) -> None:
        """Note a report, and its submission's code if that has been read."""
        key = _key(report.student, report.exercise)
        self.tallies.add(quote(f"{key}.html"), report)
        self.digests[key] = report.submission_sha256
        if code is not None:
            self._codes[key] = code.sha256, len(self._fingerprints), len(code.fingerprint)
            self._fingerprints += code.fingerprint.encode("latin-1")

    def code(self, key: str) -> Code | None:
        """Return a submission's code, if it was added with its report."""
        if key not in self._codes:
            return None
        sha256, start, size = self._codes[key]
        return Code(sha256, self._fingerprints[start : start + size].decode("latin-1"))


def write_class_report(
    out: Path,
    exercises: Sequence[Exercise],
    files: Iterable[Found] = (),
    language: str | None = None,
    gathered: Gathered | None = None,
) -> Path:
    """Write DIR/class.html from every report below `out`, and return its path. What was `gathered` is not read again.

    `files` are the submissions that can be read now; of the others, the code that was kept is used. Without a
    `language` the page has the one that the class was graded in. Raises PtqlabError when there is no report, or one is
    damaged.
    """
    gathered = gathered or Gathered()
    for path in store.report_paths(out):
        if f"{path.parent.name}/{path.stem}" not in gathered.digests:
            gathered.add(store.read_report(path))
    tallies = gathered.tallies.all()
    if not tallies:
        raise PtqlabError(f"Expected reports below {out}, but there are none; give the --out folder of `ptqlab grade`.")
    fingerprints = _updated_fingerprints(out, exercises, files, gathered)
    can_compare = find_spec("rapidfuzz") is not None
    if can_compare:
        tallies = tuple(_compared(tally, fingerprints) for tally in tallies)
    fates, notes = read_intake(out)
    page = class_to_html(
        tallies,
        language or kept_language(out),
        least=similarity.NEAR_IDENTICAL,
        can_compare=can_compare,
        possible=sum(_possible(tallies, exercises).values()) or math.inf,
        fates=fates,
        notes=notes,
    )
    write_atomically(out / PAGE, page)
    return out / PAGE


def _possible(tallies: Sequence[ExerciseTally], exercises: Sequence[Exercise]) -> dict[str, float]:
    """Return the points of each of the course's exercises, and of those that are not in it any more."""
    known = {exercise.slug: exercise.possible for exercise in exercises}
    return {tally.slug: tally.possible for tally in tallies} | known


def _key(student: str, exercise: str) -> str:
    return f"{file_name(student)}/{exercise}"


def _updated_fingerprints(
    out: Path, exercises: Sequence[Exercise], files: Iterable[Found], gathered: Gathered
) -> _Fingerprints:
    """Return the code of the graded submissions: as kept beside the grades, and made anew for what came in since."""
    before, digests = _kept_fingerprints(out), gathered.digests
    fingerprints = {key: entry for key, entry in before.items() if digests.get(key) == entry["sha256"] != ""}
    by_slug = {exercise.slug: exercise for exercise in exercises}
    for file in files:
        key = _key(file.student, file.exercise)
        if file.path is None or key in fingerprints or not digests.get(key):
            continue
        code = gathered.code(key) or code_of(file.read(by_slug[file.exercise]))
        if code.sha256 == digests[key]:
            about = {"student": file.student, "exercise": file.exercise}
            fingerprints[key] = about | {"sha256": code.sha256, "code": code.fingerprint}
    if fingerprints != before:
        write_atomically(out / FINGERPRINTS, json.dumps({"format": _FORMAT, "submissions": fingerprints}) + "\n")
    return fingerprints


def _kept_fingerprints(out: Path) -> _Fingerprints:
    """Return the fingerprints beside the grades; none where there is no such file, or one of another format."""
    try:
        data: Any = json.loads((out / FINGERPRINTS).read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            return {}
        fields = ("student", "exercise", "sha256", "code")
        return {str(key): {field: str(entry[field]) for field in fields} for key, entry in data["submissions"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _compared(exercise: ExerciseTally, fingerprints: _Fingerprints) -> ExerciseTally:
    codes = {entry["student"]: entry["code"] for entry in fingerprints.values() if entry["exercise"] == exercise.slug}
    if not codes:
        return exercise
    long_enough = sum(len(code) >= similarity.LEAST_TOKENS for code in codes.values())
    alike = tuple(Alike(group.members, group.similarity) for group in similarity.groups(codes))
    return replace(exercise, alike=alike, compared=long_enough)
