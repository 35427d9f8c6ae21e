"""Lines on stderr: complaints, and what else is not a command's result."""

from __future__ import annotations

import sys

from autograder.report.text import visible_line


def complain(sentence: str) -> None:
    """Print a sentence about something that went wrong."""
    note(f"ptqlab: {sentence}")


def note(line: str) -> None:
    """Print one line; line breaks and control characters, as a file's name may hold them, become visible."""
    print(visible_line(line), file=sys.stderr)
