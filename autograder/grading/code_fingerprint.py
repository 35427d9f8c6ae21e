"""A submission's code in the form in which a class's code is compared; no names, comments or strings are left in it."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.submission.record import Record


@dataclass(frozen=True)
class Code:
    """A submission's code as it is compared, and the sha256 of the file that it was made from."""

    sha256: str
    fingerprint: str


def code_of(record: Record) -> Code:
    """Return the code of a file that has been read; of one that our own fault kept from being read, none is known."""
    return Code("" if record.fault else record.sha256, record.tokens)
