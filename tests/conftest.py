"""Tiers, the sample of a landing, one thread a process, and one slow import that the tests do without."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import tiers

# jsonschema compiles a grammar at import where it finds one, which takes each pytest process three CPU seconds: see autograder/course/sources.py
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
# before torch is imported: the threads of two processes on two cores wait for one another, at full speed
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--sample SEED`, which draws the sampled tests of another commit."""
    parser.addoption("--sample", default=tiers.commit(), metavar="SEED", help="draw the sampled tests that SEED names")


def pytest_report_header(config: pytest.Config) -> str:
    """Name the sample, and how to run it again."""
    seed = config.getoption("--sample")
    return f"sample: drawn by {seed}; to run the same tests again: pytest --sample {seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Assign the tiers, before pytest selects by `-m`."""
    tiers.assign(items, config.getoption("--sample"), tiers.always())
    tiers.heaviest_first(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say of a sampled test that failed how the next landing runs it, too."""
    reports: Sequence[pytest.TestReport] = [  # of a file that could not be collected there is another kind
        report
        for kind in ("failed", "error")
        for report in terminalreporter.stats.get(kind, [])
        if hasattr(report, "keywords")
    ]
    failed = sorted({report.nodeid for report in reports if "sampled" in report.keywords} - tiers.always())
    if failed:
        terminalreporter.section("sampled tests that failed")
        terminalreporter.line(f"Another commit draws others. Until they are mended, add to {tiers.ALWAYS.name}:")
        for nodeid in failed:
            terminalreporter.line(nodeid)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder with one exercise of three tasks."""
    from support import tiny_course  # after the line above about jsonschema

    return tiny_course.make_course(tmp_path_factory.mktemp("tiny"))
