"""Lines on stderr: complaints, and what else is not a command's result."""

from __future__ import annotations

import sys

from autograder.report.text import visible


def complain(sentence: str) -> None:
    """Print a sentence about something that went wrong."""
    note(f"ptqlab: {sentence}")


def note(line: str) -> None:
    """Print a line; control characters and marks of direction, as a file's name may hold them, become visible."""
    print(visible(line), file=sys.stderr)
