"""`ptqlab start` from an installed wheel: two commands to a folder in which to work, and no work ever overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.cli.app import app
from autograder.course.catalog import find_exercises
from autograder.course.start import unpack
from autograder.course.wheel import build_wheel
from autograder.records import PtqlabError

SLUG = "01_tiny"


@pytest.fixture
def installed(tiny: Path, tmp_path: Path) -> Path:
    """The kit as a wheel leaves it in site-packages: the package, and the course inside of it."""
    site = tmp_path / "site"
    name, data = build_wheel()
    (tmp_path / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / name) as wheel:
        wheel.extractall(site)
    for source in (tiny / "exercises").rglob("*"):
        if source.is_file():
            target = site / "autograder" / "bundled" / source.relative_to(tiny)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (site / "autograder" / "bundled" / "datasets").mkdir()
    (site / "autograder" / "bundled" / "datasets" / "manifest.json").write_text("{}", encoding="utf-8")
    return site


def ptqlab(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from autograder.cli import main; main()"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PTQLAB"))}
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=kept | {"PYTHONPATH": str(site), "COLUMNS": "300"},
    )


def test_an_installed_kit_unpacks_into_a_folder_in_which_check_works(installed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = ptqlab(installed, home, "start", "ptq")
    assert done.returncode == 0, done.stderr
    assert f"jupyter lab ptq/exercises/{SLUG}/{SLUG}.ipynb" in done.stdout
    names = {path.relative_to(home / "ptq").as_posix() for path in (home / "ptq").rglob("*") if path.is_file()}
    assert names == {
        f"exercises/{SLUG}/{name}"
        for name in (f"{SLUG}.ipynb", f"{SLUG}.zh-TW.ipynb", "exercise.toml", "test_public.py")
    } | {"datasets/manifest.json"}
    checked = ptqlab(installed, home / "ptq" / "exercises" / SLUG, "check", "--task", "1.1")
    assert checked.returncode == 1
    assert "not written yet" in checked.stdout.lower()


def test_a_students_work_is_never_overwritten(tiny: Path, tmp_path: Path) -> None:
    arguments = ["start", str(tmp_path / "w"), "--course", str(tiny)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    mine = tmp_path / "w" / "exercises" / SLUG / f"{SLUG}.ipynb"
    mine.write_text("my work", encoding="utf-8")
    done = CliRunner().invoke(app, arguments)
    assert "wrote 0 files" in done.output
    assert "left 4 as they were" in done.output
    assert mine.read_text(encoding="utf-8") == "my work"


def test_the_kits_own_folder_and_a_file_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(PtqlabError, match="folder of your own"):
        unpack(tiny, find_exercises(tiny))
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(PtqlabError, match="is a file"):
        unpack(tmp_path / "file", find_exercises(tiny))
