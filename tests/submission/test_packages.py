"""The packages that an answer may import: the student's guide, the kit's dependencies and the machine agree."""

from __future__ import annotations

import re
import tomllib

import pytest
from support import ROOT

from autograder.submission import packages
from autograder.submission.packages import PACKAGES, TOOLS, installed, missing

MODULES = {"onnxruntime-gpu": "onnxruntime", "pytest-json-report": "pytest_jsonreport"}


def declared() -> set[str]:
    """The modules of what pyproject.toml depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = (re.match(r"[\w-]+", line) for line in project["dependencies"])
    return {MODULES.get(match[0], match[0]) for match in names if match}


def test_the_guide_lists_the_packages_that_an_answer_may_import() -> None:
    """What pyproject.toml brings, without the kit's own tools, stands in the student's guide."""
    guide = (ROOT / "docs" / "students.md").read_text(encoding="utf-8")
    line = re.search(r"these packages: (.*)\.$", guide, re.MULTILINE)
    assert line is not None
    assert set(re.findall(r"`(\w+)`", line[1])) == set(PACKAGES)
    assert {*PACKAGES, *TOOLS} == declared()


def test_every_package_of_the_list_can_be_imported() -> None:
    assert {*PACKAGES, *TOOLS, "json", "autograder"} <= installed()


def test_a_package_is_looked_for_without_being_imported(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, a file and a folder without __init__.py can be imported; nothing of them is run."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "one_of_them.py").write_text("raise SystemExit")
    (folder / "another").mkdir()
    monkeypatch.syspath_prepend(str(folder))
    found = packages.installed.__wrapped__()
    assert {"one_of_them", "another"} <= found
    assert "pandas_of_nobody" not in found


def test_a_missing_package_is_said_with_its_cell() -> None:
    assert missing("pandas", "cell 6, line 2") == "pandas isn't available to the grader; imported in cell 6"
    assert missing("pandas", "line 12") == "pandas isn't available to the grader; imported on line 12"
