"""GitHub Classroom: the workflow is valid, its commands pass on the reference, fail on the stub, and it holds no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import ROOT
from typer.testing import CliRunner

from autograder.cli.app import app
from autograder.course.notebooks import reference_notebook

SLUG = "01_tiny"


@pytest.fixture(scope="module")
def repository(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("starter")
    arguments = ["export", "--to", "github-classroom", "--out", str(out), "--course", str(tiny)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def steps(repository: Path) -> list[dict[str, Any]]:
    workflow = yaml.safe_load((repository / ".github" / "workflows" / "classroom.yml").read_text(encoding="utf-8"))
    assert workflow[True] == ["push", "repository_dispatch"]  # YAML 1.1 reads the key `on` as true
    found: list[dict[str, Any]] = workflow["jobs"]["run-autograding-tests"]["steps"]
    return found


def test_the_reporter_hears_of_every_task(steps: list[dict[str, Any]]) -> None:
    """It reads RUNNER_RESULTS, in capitals, for each of its runners."""
    graders = [step for step in steps if "command-grader" in step.get("uses", "")]
    assert [(step["id"], step["with"]["max-score"]) for step in graders] == [
        ("task-1-1", 4),
        ("task-1-2", 3),
        ("task-1-3", 2),
    ]
    reporter = steps[-1]
    assert reporter["with"]["runners"].split(",") == [step["id"] for step in graders]
    assert reporter["env"] == {
        f"{step['id'].upper()}_RESULTS": f"${{{{steps.{step['id']}.outputs.result}}}}" for step in graders
    }


def test_its_points_are_practice_and_all_papers_say_so(repository: Path) -> None:
    """SECURITY.md says that check() counts for nothing, and the workflow's points are check()'s."""
    workflow = (repository / ".github" / "workflows" / "classroom.yml").read_text(encoding="utf-8")
    readme = (repository / "README.md").read_text(encoding="utf-8")
    promised = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for text in (workflow, readme, promised):
        words = re.sub(r"[\s#]+", " ", text)
        assert re.search(r"practice points .{0,150}\bno grade\b", words), words


def run(command: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(repository)
    return CliRunner().invoke(app, command.split()[1:]).exit_code


def test_a_tasks_command_fails_on_the_stub_and_passes_on_the_reference(
    repository: Path, steps: list[dict[str, Any]], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = next(step["with"]["command"] for step in steps if step.get("id") == "task-1-1")
    assert run(command, repository, monkeypatch) == 1
    notebook = repository / "exercises" / SLUG / f"{SLUG}.ipynb"
    stub = notebook.read_text(encoding="utf-8")
    notebook.write_text(reference_notebook(tiny / "solutions" / SLUG / "source.py", "en"), encoding="utf-8")
    try:
        assert run(command, repository, monkeypatch) == 0
    finally:
        notebook.write_text(stub, encoding="utf-8")


def test_the_readme_names_files_that_are_there(repository: Path) -> None:
    """A student who clones it needs no other guide: the kit and the notebook are where it says."""
    text = (repository / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# Tiny\n")
    wheel = re.search(r'pip install "\./(.+\.whl)\[lab\]"', text)
    notebook = re.search(r"jupyter lab (\S+)", text)
    assert wheel is not None
    assert notebook is not None
    assert all((repository / found[1]).is_file() for found in (wheel, notebook))


def test_the_repository_holds_the_kit_and_no_secret(repository: Path) -> None:
    files = [path for path in repository.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.suffix == ".whl"]
    secrets = (b"hidden-marker-7f3a", b"solution-marker-51c2", b"918273.5")
    assert not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
