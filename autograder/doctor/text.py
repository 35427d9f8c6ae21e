"""Findings as text for a terminal, in lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from rich.text import Text

from autograder.doctor.findings import Finding, Verdict

_MARKS = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.NOTE: "·", Verdict.UNKNOWN: "?"}
_STYLES = {Verdict.GOOD: "green", Verdict.BAD: "bold red", Verdict.NOTE: "dim", Verdict.UNKNOWN: "yellow"}
_WIDTH, _INDENT = 80, 24  # columns


def render(sections: Mapping[str, Sequence[Finding]]) -> Text:
    """Return the findings by section, for `Console.print` or `str`."""
    blocks = [Text("\n").join([Text(title, "bold"), *map(_lines, findings)]) for title, findings in sections.items()]
    return Text("\n\n").join(blocks)


def _lines(finding: Finding) -> Text:
    """Put the mark and the subject into one column, the observation and below it the meaning into another."""
    observation = _filled(finding.observation)
    lines = Text.assemble("  ", (_MARKS[finding.verdict], _STYLES[finding.verdict]), f" {finding.subject}")
    lines.append(observation[len(lines) :] if len(lines) < _INDENT else f"\n{observation}")
    if finding.meaning:
        lines.append(f"\n{_filled(finding.meaning)}")
    return lines


def _filled(text: str) -> str:
    indent = " " * _INDENT
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
