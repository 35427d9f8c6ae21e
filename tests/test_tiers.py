"""Every test has one tier; what a landing samples rotates with the commit, and a test that failed once stays in it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, tiers


@dataclass(eq=False)
class Test:
    """As much of a pytest.Item as tiers look at."""

    __test__ = False
    nodeid: str
    marks: list[pytest.Mark] = field(default_factory=list)

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return next((mark for mark in self.marks if mark.name == name), None)

    def add_marker(self, name: str) -> None:
        self.marks.append(getattr(pytest.mark, name).mark)

    @property
    def tiers(self) -> list[str]:
        return [mark.name for mark in self.marks if mark.name in tiers.TIERS]


def numbers(count: int = 40, drawn: int = 3) -> list[Any]:
    """A group of sampled tests."""
    return [Test(f"tests/test_some.py::test[{n}]", [pytest.mark.sampled("numbers", drawn).mark]) for n in range(count)]


def landing(tests: list[Any], seed: str = "a commit", always: tuple[str, ...] = ()) -> list[str]:
    """Return the ids of the tests that a landing runs."""
    tiers.assign(tests, seed, always)
    return [test.nodeid for test in tests if test.tiers != ["proof"]]


def test_a_test_that_says_nothing_has_the_tier_of_its_room() -> None:
    tests: list[Any] = [Test("tests/sandbox/test_a.py::test_b"), Test("tests/report/test_a.py::test_b[*]")]
    tiers.assign(tests, "", ())
    assert [test.tiers for test in tests] == [["sandbox"], ["unit"]]


def test_what_a_test_says_itself_decides_before_its_room() -> None:
    tests: list[Any] = [Test("tests/sandbox/test_a.py::test_b", [pytest.mark.proof.mark])]
    tiers.assign(tests, "", ())
    assert tests[0].tiers == ["proof"]


@pytest.mark.parametrize("marks", [("unit", "proof"), ("sampled", "proof")])
def test_a_test_with_two_tiers_is_refused(marks: tuple[str, str]) -> None:
    made: list[Any] = [Test("tests/test_a.py::test_b", [getattr(pytest.mark, name)("x", 1).mark for name in marks])]
    with pytest.raises(pytest.UsageError, match=r"^tests/test_a.py::test_b: expected one tier, or `sampled`; got"):
        tiers.assign(made, "", ())


def test_files_of_graders_are_given_out_before_files_of_quick_tests_and_keep_their_order() -> None:
    names = [
        "tests/lab/test_a.py::x",
        "tests/pool/test_b.py::y",
        "tests/report/test_c.py::z",
        "tests/attacks/test_d.py::z",
    ]
    tests: list[Any] = [Test(name) for name in names]
    tiers.heaviest_first(tests)
    assert [test.nodeid for test in tests] == [names[1], names[3], names[0], names[2]]


def test_a_landing_draws_as_many_as_the_marker_says() -> None:
    assert len(landing(numbers())) == 3
    assert len(landing(numbers(2))) == 2


def test_tests_of_one_key_are_drawn_together() -> None:
    for seed in map(str, range(20)):
        tests: list[Any] = [
            Test(f"tests/test_some.py::test_{name}[{letter}]", [pytest.mark.sampled("letters", 2, letter).mark])
            for name in ("first", "second")
            for letter in "abcde"
        ]
        drawn = landing(tests, seed)
        assert len(drawn) == 4
        assert len({nodeid[-2] for nodeid in drawn}) == 2


def test_counts_that_differ_within_a_group_are_refused() -> None:
    with pytest.raises(pytest.UsageError, match="expected one count in the group numbers, got 4"):
        landing(numbers() + numbers(drawn=4))


def test_a_commit_draws_the_same_each_time_and_commits_together_draw_all() -> None:
    assert landing(numbers(), "one") == landing(numbers(), "one")
    assert len({nodeid for seed in range(200) for nodeid in landing(numbers(), str(seed))}) == 40


def test_two_clones_of_a_commit_draw_the_same() -> None:
    """The seed and the ids decide; no path of a machine does. A change of the drawing is a change of these numbers."""
    assert landing(numbers(), "one") == [f"tests/test_some.py::test[{n}]" for n in (4, 12, 28)]


def test_a_test_that_failed_once_is_drawn_whatever_the_commit() -> None:
    listed = numbers()[17].nodeid
    assert all(listed in landing(numbers(), str(seed), (listed,)) for seed in range(20))


def test_every_test_that_is_listed_exists() -> None:
    """A test that was renamed would silently no longer be run."""
    if listed := sorted(tiers.always()):
        command = [sys.executable, "-P", "-m", "pytest", "-m", "", "--collect-only", "-q", *listed]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_sampled_test_that_fails_is_named_for_the_list_and_the_header_repeats_the_sample(tmp_path: Path) -> None:
    """In processes of xdist, too, as on a landing."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    marks = '@pytest.mark.sampled("x", 1)\n@pytest.mark.parametrize("n", [5])\n'
    (tmp_path / "test_x.py").write_text(f"import pytest\n\n{marks}def test_x(n):\n    assert n == 6\n")
    ini = f"[pytest]\npythonpath = {ROOT / 'tests'}\nmarkers =\n  sampled\n  unit\n  sandbox\n  proof\n"
    (tmp_path / "pytest.ini").write_text(ini)
    command = [sys.executable, "-P", "-m", "pytest", "-n", "1", "-p", "no:cacheprovider", "--sample", "a12"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "to run the same tests again: pytest --sample a12\n" in said
    assert "Until they are mended, add to always.txt:\ntest_x.py::test_x[5]\n" in said
