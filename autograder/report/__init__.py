"""Reports: what a grade looks like as JSON, CSV, HTML, on a terminal, and below a notebook cell."""

from autograder.report.atomic import write_atomically
from autograder.report.table import CheckResult
from autograder.report.terminal import (
    ClassProgress,
    print_lines,
    print_scoreboard,
    scoreboard,
    scoreboard_lines,
)
from autograder.report.to_csv import scores_csv
from autograder.report.to_html import report_to_html
from autograder.report.to_json import report_from_json, report_to_json

__all__ = [
    "CheckResult",
    "ClassProgress",
    "print_lines",
    "print_scoreboard",
    "report_from_json",
    "report_to_html",
    "report_to_json",
    "scoreboard",
    "scoreboard_lines",
    "scores_csv",
    "write_atomically",
]
