"""Grading on a GPU, as far as a machine without one can tell: the jail's other shape, and what happens when it fails.

Where torch sees a GPU, the reference is graded on it, too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import torch
from support import ROOT

from autograder.course.catalog import load_exercise
from autograder.course.sources import reference_source
from autograder.grading.environment import grading_devices
from autograder.grading.grade import grade
from autograder.pool import executor
from autograder.records import Limits, PtqlabError, Settings, Submission
from autograder.runtime.process_state import STATE
from autograder.sandbox import syscalls
from autograder.sandbox.worker import SandboxPolicy, Worker
from autograder.testing.proxy import Student

SLUG = "01_basic_quantization"
MODULE = """
def take(megabytes):
    return len(bytearray(megabytes << 20))
"""
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture(autouse=True)
def asked_anew():
    STATE.clear()
    yield
    STATE.clear()


def test_the_jail_for_a_gpu_holds_the_floor_and_limits_memory_by_another_limit() -> None:
    with Worker(MODULE, Limits(memory_mb=512), SandboxPolicy(cuda=True)) as worker:
        worker.start()
        assert "seccomp" in worker.isolation
        student = Student(worker)
        assert student.take(100) == 100 << 20
        with pytest.raises(MemoryError):
            student.take(8 << 10)


def test_only_the_jail_for_a_gpu_lets_a_driver_be_spoken_to() -> None:
    assert syscalls.compile_filter(cuda=True) != syscalls.compile_filter()


@without_gpu
def test_a_gpu_that_does_not_work_in_the_jail_is_left_out_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert grading_devices(Settings(seed=1)) == ("cpu", "simulated")
    with pytest.raises(PtqlabError, match=r"Expected the GPU to work in the jail .*use --device cpu"):
        grading_devices(Settings(seed=1, device="cuda"))


@without_gpu
def test_an_honest_student_keeps_every_point_where_the_gpu_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    source = reference_source(ROOT / "solutions" / SLUG / "source.py")
    report = grade(exercise, Submission("ann", SLUG, source, ""), Settings(seed=1))
    assert report.earned == exercise.possible
    assert report.device == "cpu, simulated"


@needs_gpu
def test_the_reference_is_right_on_the_gpu() -> None:
    exercise = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
    source = reference_source(ROOT / "solutions" / SLUG / "source.py")
    report = grade(exercise, Submission("ann", SLUG, source, ""), Settings(seed=1, device="cuda"))
    assert report.earned == exercise.possible
    assert report.device == "cpu, simulated, cuda"


@pytest.mark.parametrize(("says", "processes"), [("9000", 2), ("1000", 1), ("[N/A]", 3)])
def test_a_gpu_is_shared_by_as_many_as_its_memory_is_for(
    says: str, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(executor, "MEMORY_PER_PROCESS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert executor.default_jobs("auto") == processes
    assert executor.default_jobs("cpu") == 3
