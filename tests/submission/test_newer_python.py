"""A notebook's own Python: which syntax and which library it has that this one lacks, and whom that withholds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograder.records import Task
from autograder.submission import newer_python
from autograder.submission.newer_python import is_late, library_needed, needs_newer, version_needed, version_of


@pytest.fixture(autouse=True)
def ours_is_311(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests hold whatever Python runs them."""
    monkeypatch.setattr(newer_python, "OURS", (3, 11))


NEW = {
    "quotes in an f-string": ('x = f"{d["a"]}"\n', "3.12"),
    "a line break in an f-string": ("x = f'{1 +\n2}'\n", "3.12"),
    "a backslash in an f-string": ("x = f\"{'\\n'.join(a)}\"\n", "3.12"),
    "type parameters": ("def f[T](x: T) -> T:\n    return x\n", "3.12"),
    "a generic class": ("class A[T]:\n    pass\n", "3.12"),
    "a type statement": ("type A = list[int]\n", "3.12"),
    "a default of a type parameter": ("class A[T = int]: pass\n", "3.13"),
    "exceptions without brackets": ("try:\n    pass\nexcept A, B:\n    pass\n", "3.14"),
    "a template string": ("x = t'{a}'\n", "3.14"),
    "the newest of several": ("type A = int\ntry:\n    pass\nexcept A, B:\n    pass\n", "3.14"),
}


@pytest.mark.parametrize("name", NEW)
def test_new_syntax_needs_the_version_that_brought_it(name: str) -> None:
    source, needed = NEW[name]
    assert version_needed(source, "3.14.2") == needed


@pytest.mark.parametrize("name", NEW)
def test_what_the_notebooks_own_python_does_not_take_either_is_a_mistake(name: str) -> None:
    source, needed = NEW[name]
    assert version_needed(source, "3.11.9") == ""
    assert version_needed(f"{source}x = (\n", "3.14.2") == ""
    assert version_needed(source, "3.12.1") == ("3.12" if needed == "3.12" else "")
    assert version_needed(source, "") == version_needed(source, "4.0") == version_needed(source, "2.7.18") == ""


@pytest.mark.parametrize(
    "source", ["print 5\n", "x = (\n", "return 5\n", "def f(:\n", "%matplotlib inline\n", "\0", "", "x = 1\n"]
)
def test_a_mistake_in_every_python_needs_none(source: str) -> None:
    assert version_needed(source, "3.14.2") == ""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python takes most of them")
@pytest.mark.parametrize("name", [name for name in NEW if NEW[name][1] == "3.12"])
def test_what_needs_a_newer_python_does_not_compile_in_this_one(name: str) -> None:
    with pytest.raises(SyntaxError):
        compile(NEW[name][0], "", "exec")


def test_hostile_code_is_told_nothing_and_takes_no_longer_than_its_limits() -> None:
    for source in ("(" * 90_000, "x = " + "-" * 90_000 + "1", "x" * 200_000, "type A = int\n" + "[" * 50_000):
        assert version_needed(source, "3.14.2") == ""


def test_without_ruff_nothing_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer_python, "_ruff", lambda: "")
    assert version_needed("type A = int\n", "3.14") == ""
    monkeypatch.setattr(newer_python, "_ruff", lambda: str(Path(sys.executable)))
    assert version_needed("type A = int\n", "3.14") == ""


@pytest.mark.parametrize(
    ("name", "claimed", "needed"),
    [
        ("itertools.batched", "3.12.1", "3.12"),
        ("itertools.batched", "3.11.9", ""),
        ("annotationlib", "3.14.0", "3.14"),
        ("annotationlib", "3.13.0", ""),
        ("distutils", "3.10.2", ""),
        ("json", "3.14.0", ""),
        ("pandas", "3.14.0", ""),
        ("itertools.batched", "", ""),
    ],
)
def test_a_library_needs_the_version_that_brought_it(name: str, claimed: str, needed: str) -> None:
    assert library_needed(name, claimed) == needed


def test_a_module_that_is_gone_needs_the_notebooks_own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer_python, "OURS", (3, 13))
    assert library_needed("distutils", "3.11.4") == "3.11"
    assert library_needed("telnetlib", "3.12.0") == "3.12"
    assert library_needed("distutils", "3.12.0") == library_needed("distutils", "3.13.0") == ""


def test_the_table_agrees_with_this_pythons_library() -> None:
    """What it says came later isn't there; what it says is gone is, here."""
    ours = sys.version_info[:2]
    modules = {name for name in newer_python._FIRST if "." not in name}
    assert not {name for name in modules if newer_python._FIRST[name] > ours} & sys.stdlib_module_names
    gone = {name for name, last in newer_python._LAST.items() if last >= ours and "." not in name}
    assert gone - {"msilib", "ossaudiodev"} <= sys.stdlib_module_names
    for name, first in newer_python._FIRST.items():
        module, _, member = name.rpartition(".")
        if first > ours and module in sys.modules:
            assert not hasattr(sys.modules[module], member), name


def test_annotations_are_late_from_314_on() -> None:
    assert [is_late(claimed) for claimed in ("3.13.5", "3.14.0", "3.15.0a1", "", "2.7")] == [
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("claimed", "version"),
    [
        ("3.12.1", (3, 12)),
        ("3.9", (3, 9)),
        ("3.14.0rc2", (3, 14)),
        ("2.7.18", None),
        ("", None),
        ("3", None),
        ("3.x", None),
        ("R 3.1", None),
    ],
)
def test_a_version_is_read_off_what_the_notebook_claims(claimed: str, version: tuple[int, int] | None) -> None:
    assert version_of(claimed) == version


# --- when a score is withheld -------------------------------------------------------------------------------------


def task(id: str, *functions: str) -> Task:
    return Task(id, {}, functions, 1.0, {})


NEEDED = {"f": ("3.12", "cell 7, line 3"), "g": ("3.14", "cell 2, line 1")}


def test_a_lost_task_that_needs_a_newer_python_withholds_the_score() -> None:
    """The newest of those that lost tasks need is said, with its place."""
    assert needs_newer(NEEDED, [task("1.1", "f")]) == "needs Python 3.12 (cell 7, line 3); grade with it"
    assert needs_newer(NEEDED, [task("1.1", "f", "h"), task("1.2", "g")]) == (
        "needs Python 3.14 (cell 2, line 1); grade with it"
    )


def test_a_lost_task_that_needs_nothing_new_is_lost() -> None:
    assert (
        needs_newer(NEEDED, [task("1.3", "h")]) == needs_newer(NEEDED, []) == needs_newer({}, [task("1.1", "f")]) == ""
    )
