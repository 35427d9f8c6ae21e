"""What the doctor found: the nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Facts = Mapping[str, Any]
"""What one probe found, or {"error": why it found nothing}."""


class Verdict(StrEnum):
    """What a finding means for the reader."""

    GOOD = "good"
    BAD = "bad"
    NOTE = "note"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its name, what was found, and what that means in a sentence."""

    name: str
    found: str
    verdict: Verdict
    meaning: str = ""


def unknown(name: str, facts: Facts, meaning: str = "") -> Finding:
    """The finding of a probe that could not be made."""
    return Finding(name, f"unknown: {facts['error']}", Verdict.UNKNOWN, meaning)
