"""The tier of every test: `unit`, `sandbox` or `proof`; and which of the sampled tests a landing runs.

A landing runs `unit` and `sandbox`. A test with the marker `sampled` is one of many alike: a landing runs `count` of them,
drawn by the commit, and those in tests/always.txt. The others are `proof` tests in that run.
"""

from __future__ import annotations

import fnmatch
import hashlib
import subprocess
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = ROOT / "tests" / "always.txt"
TIERS = ("unit", "sandbox", "proof")
# the first pattern that fits a test's id decides; a marker in the test's own file decides before that
DEFAULTS = (
    ("tests/pool/test_killed.py::*", "proof"),  # kills processes at moments of a clock
    ("tests/pool/test_cluster.py::test_a_cluster_gives*", "proof"),  # Dask's own processes take long to start
    ("tests/pool/test_cluster.py::test_a_worker_killed*", "proof"),
    ("tests/pool/test_cluster.py::test_work_is_done*", "proof"),
    ("tests/pool/test_cluster.py::test_a_grading_process_that_dies*", "proof"),
    ("tests/pool/test_cluster.py::test_a_job_that_kills*", "proof"),
    ("tests/pool/test_cluster.py::test_work_for_a_gpu*", "proof"),
    ("tests/grading/test_choice.py::*", "unit"),
    ("tests/grading/test_intake*.py::*", "unit"),
    ("tests/grading/test_what_a_lost_task_says.py::*", "unit"),
    ("tests/grading/test_similarity.py::*", "unit"),
    ("tests/exports/test_lms.py::*", "unit"),
    ("tests/submission/test_habits.py::*", "sandbox"),
    ("tests/grading/test_replay.py::test_a_call_that_is_watched*", "proof"),  # a call of 0.2 s, told from one of none
    ("tests/attacks/*", "sandbox"),
    ("tests/course/test_every_exercise.py::*", "sandbox"),
    ("tests/course/test_notebooks.py::*", "sandbox"),
    ("tests/exports/*", "sandbox"),
    ("tests/field/test_graded.py::*", "sandbox"),
    ("tests/grading/*", "sandbox"),
    ("tests/pool/*", "sandbox"),
    ("tests/sandbox/*", "sandbox"),
    ("*", "unit"),
)


def assign(items: Iterable[pytest.Item], seed: str, always: Collection[str]) -> None:
    """Give every test the one marker of its tier."""
    drawn = draw([item for item in items if item.get_closest_marker("sampled")], seed)
    for item in items:
        tiers = [tier for tier in TIERS if item.get_closest_marker(tier)]
        if len(tiers) > 1 or (tiers == ["proof"] and item.get_closest_marker("sampled")):
            raise pytest.UsageError(f"{item.nodeid}: expected one tier, or `sampled`; got {' and '.join(tiers)}")
        if item.get_closest_marker("sampled") and item not in drawn and item.nodeid not in always:
            item.add_marker("proof")
        elif not tiers:
            item.add_marker(default_tier(item.nodeid))


def heaviest_first(items: list[pytest.Item]) -> None:
    """Put files of graders before files of quick tests: xdist gives out files in this order, and a heavy last one would
    keep one process waiting.
    """
    items.sort(key=lambda item: default_tier(item.nodeid.partition("::")[0] + "::") == "unit")


def default_tier(nodeid: str) -> str:
    """Return the tier of a test whose file says nothing about it."""
    return next(tier for pattern, tier in DEFAULTS if fnmatch.fnmatchcase(nodeid, pattern))


def draw(items: Sequence[pytest.Item], seed: str) -> set[pytest.Item]:
    """Return the sampled tests that a landing with this seed runs.

    `@pytest.mark.sampled(group, count, key)`: of each group in a file, the tests of `count` keys. A test without a key has
    its own id for one.
    """
    groups: dict[tuple[str, str], dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    counts: dict[tuple[str, str], int] = {}
    for item in items:
        group, count, key = _sampled(item)
        groups[group][key].append(item)
        if counts.setdefault(group, count) != count:
            raise pytest.UsageError(f"{item.nodeid}: expected one count in the group {group[1]}, got {count}")
    return {
        item
        for group, members in groups.items()
        for key in ranked(members, f"{seed} {group}")[: counts[group]]
        for item in members[key]
    }


def _sampled(item: pytest.Item) -> tuple[tuple[str, str], int, str]:
    mark = item.get_closest_marker("sampled")
    assert mark is not None
    group, count, key = (*mark.args, item.nodeid)[:3]
    return (item.nodeid.partition("::")[0], str(group)), int(count), str(key)


def ranked(names: Iterable[str], seed: str) -> list[str]:
    """Return the names in an order that this seed decides."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())


def commit() -> str:
    """Return the seed of this tree: its commit, or a digest of the tests where there is no repository."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        files = sorted(ROOT.glob("tests/**/test_*.py"))
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def always() -> frozenset[str]:
    """Return the ids of the sampled tests that every landing runs: they failed once, and are not mended yet."""
    lines = ALWAYS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
