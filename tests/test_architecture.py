"""Who may import whom, and what must never be on the path. The contracts themselves stand in pyproject.toml."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from support import ROOT


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, cwd=ROOT)


def test_what_students_import_needs_neither_fork_nor_resource() -> None:
    done = run(
        "import os, sys\n"
        "for name in ('fork', 'pidfd_open', 'setresuid'): os.__dict__.pop(name, None)\n"
        "for name in ('resource', 'fcntl', 'pyseccomp', 'jupytext', 'pwd', 'grp'): sys.modules[name] = None\n"
        "import autograder.lab, autograder.testing.plugin, autograder.testing.expect, autograder.lab.checking\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_repository_root_is_not_importable() -> None:
    """`datasets/` lies in the root; transformers would take it for the Hugging Face library of that name."""
    done = run(
        "import importlib.util as u, autograder.lab, transformers.utils as t\n"
        "print(u.find_spec('exercises'), u.find_spec('solutions'), u.find_spec('datasets'), t.is_datasets_available())"
    )
    assert done.stdout.split() == ["None", "None", "None", "False"], done.stdout + done.stderr


def test_importing_the_plugin_does_not_import_torch() -> None:
    """Every pytest session in a student's environment loads the plugin: it must cost nothing."""
    done = run("import sys, autograder.testing.plugin; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_no_cuda_package_came_with_the_pinned_torch() -> None:
    import torch

    if torch.version.cuda is not None:
        pytest.skip("this environment was given a CUDA build of torch on purpose")
    names = {str(d.metadata["Name"]).lower() for d in distributions()}
    assert not [name for name in names if name.startswith("nvidia-")]


def test_onnxruntime_comes_in_one_build_only() -> None:
    names = {str(d.metadata["Name"]).lower() for d in distributions()}
    assert len(names & {"onnxruntime", "onnxruntime-gpu"}) == 1


def test_every_constraint_names_one_version_and_torch_is_among_them() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
    assert any(line.startswith("torch==") for line in lines)
    assert "torch>=" in " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])


@pytest.mark.parametrize("folder", ["exercises", "datasets"])
def test_nothing_that_ships_has_an_init_file(folder: str) -> None:
    assert not list((ROOT / folder).rglob("__init__.py"))


def test_the_package_is_the_clones_own() -> None:
    """An editable install that left files in site-packages/autograder/ would hide the package."""
    done = run("import autograder.testing.plugin as s; print(s.__file__)")
    assert done.stdout.strip() == str(ROOT / "autograder" / "testing" / "plugin.py"), done.stderr


def test_a_wheel_carries_the_exercises_and_data_but_no_solution(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert "autograder/bundled/exercises/01_basic_quantization/01_basic_quantization.ipynb" in names
    assert "autograder/bundled/datasets/manifest.json" in names
    course = [name for name in names if not name.startswith("autograder/course/scaffold/")]  # templates of `ptqlab new`
    assert not [name for name in course if "solution" in name or "hidden" in name or "mutants" in name]


def test_no_attack_has_left_anything_in_this_tree() -> None:
    """One did: a planted conftest.py switched every test below it off, and was committed."""
    ours = {ROOT / "tests" / part / "conftest.py" for part in ("", "exports", "report")}
    places = [ROOT / name for name in ("tests", "exercises", "solutions", "autograder", "datasets")]
    assert {*ROOT.glob("conftest.py"), *(path for place in places for path in place.rglob("conftest.py"))} == ours
    assert not [path for place in places for path in place.rglob("ptqlab-attack-*")]
