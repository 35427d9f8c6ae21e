"""The same files through the real child, one in ten of them made to be too much for whoever reads it."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from pathlib import Path

from bounds import Bounds, Broken
from drawn import Drawn
from notebook_target import file_of
from support import hostile

from autograder.records import Exercise, Limits, Task
from autograder.sandbox import reading
from autograder.submission.reader import read
from autograder.submission.recognition import lab_of
from autograder.submission.record import Record

LAB = Exercise("01_x", {}, (Task("1.1", {}, ("f", "g", "Net"), 1.0, {}),), Limits(), Path("nowhere").absolute())
WORK = tempfile.TemporaryDirectory()


def one(data: bytes) -> None:
    """Hand one file made of `data` to the reader: a record comes back, and no fault of the grader's."""
    number = zlib.crc32(data)
    is_hostile = number % 10 == 0
    kinds = list(hostile.KINDS.values())
    name, content = kinds[number // 10 % len(kinds)]() if is_hostile else file_of(Drawn(data))
    path = Path(WORK.name) / name
    path.write_bytes(content)
    if is_hostile:
        del content
        Bounds.forget()  # making it took this process more than reading it may
    with Bounds():
        record = reading.read(path, LAB)
    path.unlink()
    if record.fault or (record.problem == "") != (record.code is not None):
        raise Broken(f"neither a sentence nor a grade: {record.problem!r}, {record.fault!r}")
    if not is_hostile and record != _at_home(name, content):
        raise Broken("a file reads differently in a child")


def _at_home(name: str, content: bytes) -> Record:
    record = Record(name=name, sha256=hashlib.sha256(content).hexdigest())
    read(name, content, lab_of(LAB.slug, LAB.functions, LAB.folder), record.add)
    return record
