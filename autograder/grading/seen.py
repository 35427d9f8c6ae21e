"""Files that came in, and what each is: looked at once, whatever it is called."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from autograder.grading.tree import Entry
from autograder.records import Exercise
from autograder.sandbox import reading
from autograder.sandbox.unpacking import is_archive, is_code
from autograder.submission.labs_of import Belongs, lab_named, labs_of
from autograder.submission.record import Look

_TEXTS = (".txt", ".json")  # a script or a notebook in disguise
_DOCUMENTS = (".pdf", ".doc", ".docx", ".odt", ".rar", ".7z", *_TEXTS)  # handed in instead of a notebook
_TESTS = re.compile(r"(test_.*|conftest)\.py")
_MOST_LOOKS, _MOST_SECONDS = 2_000, 60  # files of one person, and the time that they take
_NO_LOOK = Look(kind="other")
_NOWHERE = Belongs()


@dataclass(frozen=True)
class Seen:
    """A file, what it is and the labs that it belongs to; `problem`: why nothing of it can be graded."""

    entry: Entry
    look: Look = _NO_LOOK
    belongs: Belongs = _NOWHERE
    problem: str = ""
    sha256: str = ""
    is_ours: bool = False  # a file of the kit's own, such as the tests beside a notebook
    is_fault: bool = False  # the problem is the grader's own fault

    @property
    def is_code(self) -> bool:
        """Whether it is a notebook or a script of a student's, by its name or by what it holds."""
        named = is_code(self.entry.name) and not self.is_ours
        return not self.entry.is_folder and (named or bool(self.belongs.labs))

    @property
    def is_untouched(self) -> bool:
        """Whether it is a notebook as it was handed out, or one without code."""
        return bool(self.look.stub_of) or (self.look.kind == "notebook" and not self.look.code_bytes)

    @property
    def is_document(self) -> bool:
        """Whether it may be what somebody handed in instead of a notebook."""
        name = self.entry.name.lower()
        return not self.entry.is_folder and (self.is_code or name.endswith(_DOCUMENTS) or is_archive(name))

    @property
    def archives(self) -> int:
        """The archives within a person's folder in which it lay, one in the other."""
        return sum(map(is_archive, self.entry.parts[1:-1]))


class Looker:
    """Looks at files, at equal ones once."""

    def __init__(self, exercises: Sequence[Exercise]) -> None:
        self._exercises = exercises
        self._graded: Mapping[str, int] = {each.slug: len(each.functions) for each in exercises}
        self._known: dict[tuple[str, str], Look] = {}
        self._looks: Counter[tuple[str, ...]] = Counter()  # by the place of a person's files
        self._seconds: dict[tuple[str, ...], float] = defaultdict(float)

    @cached_property
    def handed_out(self) -> frozenset[str]:
        """The sha256 of every file of the exercises but their notebooks, which say themselves that they are stubs."""
        files = (path for each in self._exercises if each.folder.is_dir() for path in each.folder.rglob("*"))
        return frozenset(reading.sha256_of(path) for path in files if path.is_file() and path.suffix != ".ipynb")

    def see(self, entries: Iterable[Entry]) -> list[Seen]:
        """Look at what may hold code; what else came is known by its name alone."""
        return [self._see(entry) for entry in entries]

    def _see(self, entry: Entry) -> Seen:
        suffix = PurePath(entry.name).suffix.lower()
        if entry.path is None or entry.problem or not (is_code(entry.name) or suffix in _TEXTS):
            named = lab_named(entry.name, tuple(self._graded)) if is_code(entry.name) and not entry.is_folder else ""
            belongs = Belongs((named,) if named else ())
            return Seen(entry, belongs=belongs, problem=entry.problem, is_fault=entry.is_fault)
        sha256 = reading.sha256_of(entry.path)
        if sha256 in self.handed_out:
            return Seen(entry, sha256=sha256, is_ours=True)
        look, problem, is_fault = self._look(entry, entry.path, sha256, suffix)
        belongs = labs_of(look, entry.name, self._graded)
        if problem and not is_code(entry.name):
            belongs = Belongs()
        is_ours = bool(_TESTS.fullmatch(entry.name)) and not belongs.labs
        return Seen(entry, look, belongs, problem, sha256, is_ours, is_fault)

    def _look(self, entry: Entry, path: Path, sha256: str, suffix: str) -> tuple[Look, str, bool]:
        """What a file is, why nothing of it can be graded, and whether that is our fault."""
        known = self._known.get((sha256, suffix))
        if known is not None:
            return known, "", False
        place = entry.parts[:-1][:2] or entry.parts
        if self._looks[place] >= _MOST_LOOKS or self._seconds[place] > _MOST_SECONDS:
            return _NO_LOOK, f"{'/'.join(place)} holds more files than are looked at; hand in one notebook.", False
        started = time.monotonic()
        record = reading.look(path, self._exercises)
        self._looks[place] += 1
        self._seconds[place] += time.monotonic() - started
        look = record.look or _NO_LOOK
        if sha256 and record.look and not (record.problem or record.fault):
            self._known[sha256, suffix] = look
        return look, record.problem or record.fault, bool(record.fault)

    def kind(self, seen: Seen) -> Seen:
        """Look at a file that is no code, to say what it is."""
        if seen.entry.path is None or seen.problem or seen.look is not _NO_LOOK:
            return seen
        record = reading.look(seen.entry.path, self._exercises)
        return Seen(seen.entry, record.look or _NO_LOOK, problem=record.problem, sha256=record.sha256)
