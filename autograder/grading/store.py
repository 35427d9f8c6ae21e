"""The reports of a class on disk: DIR/<student>/<exercise>.json, and the page beside each."""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from autograder.course.fingerprint import outcomes_sha256
from autograder.grading.found import Found
from autograder.grading.job import Job
from autograder.grading.people import file_name, file_names
from autograder.records import Exercise, PtqlabError, Report
from autograder.report.atomic import write_atomically
from autograder.report.to_csv import scores_csv
from autograder.report.to_json import report_from_json
from autograder.sandbox import reading

SCORES = "scores.csv"
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
FULL_DISK_PAUSES_S = (0.2, 1.0, 3.0, 10.0)


def report_path(out: Path, file: Found) -> Path:
    """Return where a submission's report lies."""
    return out / file_name(file.student) / f"{file.exercise}.json"


def refuse_shared_paths(out: Path, files: Sequence[Found]) -> None:
    """Raise PtqlabError, naming both, where two students' reports would lie in one folder below `out`."""
    file_names((file.student for file in files), ignore_case=_ignores_case(out))


def _ignores_case(folder: Path) -> bool:
    """Return whether a and A are one file here, as on macOS, on Windows and on the disks that these share."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".case", dir=folder) as file:
        return Path(file.name).with_name(Path(file.name).name.upper()).exists()


def write_report(path: Path, record: str, page: str) -> None:
    """Write the JSON and the HTML page beside it, each whole or not at all; the JSON last, as the sign of done.

    A full disk is tried again for some seconds: a worker that filled it is ended, and its scratch removed, meanwhile.
    """
    for pause_s in (*FULL_DISK_PAUSES_S, None):
        try:
            write_atomically(path.with_suffix(".html"), page)
            write_atomically(path, record)
            return
        except PtqlabError as error:
            if pause_s is None or getattr(error.__cause__, "errno", None) not in FULL_DISK:
                raise
            time.sleep(pause_s)


def read_report(path: Path) -> Report:
    """Read one report; a damaged one is a PtqlabError."""
    return report_from_json(path.read_text(encoding="utf-8"))


def report_paths(out: Path) -> list[Path]:
    """Return the path of every report below a folder of grades."""
    return sorted(out.glob("*/*.json"))


def write_scores(
    out: Path, exercises: Sequence[Exercise], reports: Mapping[Path, Report] = MappingProxyType({})
) -> None:
    """Write scores.csv of every report below `out`; `reports` are those that need not be read again."""
    every = [reports.get(path) or read_report(path) for path in report_paths(out)]
    write_atomically(out / SCORES, scores_csv(every, exercises))


def valid_report(out: Path, job: Job) -> Report | None:
    """Return a submission's stored report if its tests would end the same again; None where it has to be graded."""
    try:
        report = read_report(report_path(out, job.file))
        sha256 = reading.sha256_of(job.file.path) if job.file.path else ""
    except Exception:  # grading it anew says what is wrong
        return None
    same = (
        report.student == job.file.student
        and report.submission_sha256 == sha256 != ""
        and report.outcomes_sha256 == outcomes_sha256(job.exercise)
        and report.seed == job.settings.seed
        and report.status in ("graded", "partial")
        and (report.isolation == "none") == (job.settings.isolation == "none")
    )
    return report if same else None
