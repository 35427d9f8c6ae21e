"""Folders for temporary files: a run that is killed as a whole can't remove its own, so the next one does, and only those."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.pool import forkserver
from autograder.sandbox import launcher, scratch

HOLDS = """import os, sys, time
from autograder.sandbox import scratch
path, held = scratch.make()
if sys.argv[1] == "a child" and os.fork():
    os._exit(0)
print(path, os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["the process", "a child"])
def holder(request: pytest.FixtureRequest, temporary: Path) -> Iterator[tuple[Path, int]]:
    """A folder, and the process that holds it: the one that made it, or a fork of it that outlived it."""
    program = [sys.executable, "-P", "-c", HOLDS, request.param]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path, pid = process.stdout.readline().split()
        try:
            yield Path(path), int(pid)
        finally:
            os.kill(int(pid), signal.SIGKILL)


def test_a_folder_is_kept_as_long_as_a_process_has_it(holder: tuple[Path, int]) -> None:
    launcher.sweep()
    assert holder[0].is_dir()


def test_what_a_killed_run_has_left_goes(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDS, "the process"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().split()[0])
        (path / "a" / "b").mkdir(parents=True)
        (path / "a" / "b" / "c.txt").write_text("unsaid")
        process.kill()
    assert path.is_dir()
    launcher.sweep()
    assert os.listdir(temporary) == []


def test_only_folders_of_ours_go(temporary: Path) -> None:
    elsewhere = temporary / "work"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "kept.txt").write_text("mine")
    (temporary / f"{scratch.PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{scratch.PREFIX}file").write_text("a file")
    launcher.sweep()
    assert sorted(os.listdir(temporary)) == [f"{scratch.PREFIX}file", f"{scratch.PREFIX}link", "work"]
    assert os.listdir(elsewhere / "deep") == ["kept.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_another_users_folder_is_left_alone(temporary: Path) -> None:
    path = temporary / f"{scratch.PREFIX}theirs"
    path.mkdir()
    os.chown(path, 65534, 65534)
    launcher.sweep()
    assert path.is_dir()


def test_one_that_is_taken_for_abandoned_at_once_is_not_given_out(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being made and being held it looks like one that a killed run has left."""
    made: list[str] = []

    def swept_at_once(prefix: str) -> str:
        path = os.path.join(temporary, f"{prefix}{len(made)}")
        os.mkdir(path, 0o700)
        made.append(path)
        if len(made) == 1:
            launcher.sweep()
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", swept_at_once)
    path, held = scratch.make()
    os.close(held)
    assert len(made) == 2
    assert (path, Path(path).is_dir()) == (made[1], True)


def test_while_another_one_removes_it_it_is_not_given_out(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    held_by_another: list[Iterator[str]] = []
    make = tempfile.mkdtemp

    def looked_at(prefix: str) -> str:
        path = make(prefix=prefix)
        if not found:
            held_by_another.append(scratch.abandoned())
            found.append(next(held_by_another[0]))
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", looked_at)
    path, held = scratch.make()
    os.close(held)
    assert found != [path]


def test_where_nothing_can_be_held_nothing_is_taken_for_abandoned(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    path, held = scratch.make()
    os.close(held)
    launcher.sweep()
    assert Path(path).is_dir()


def test_a_workers_user_gets_through_and_nobody_else_sees_what_was_unpacked(temporary: Path) -> None:
    path, held = scratch.make()
    os.close(held)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o711
    with scratch.folder() as unpacked:
        assert stat.S_IMODE(os.stat(unpacked).st_mode) == 0o700
    assert not os.path.exists(unpacked)


def test_what_was_closed_once_is_not_closed_again(temporary: Path) -> None:
    """A zygote that was found dead is closed twice, and its descriptor's number may be another's by then."""
    zygote = launcher.Zygote()
    zygote.close()
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
    zygote.close()
    for descriptor in others:
        os.close(descriptor)


def test_a_command_sweeps_where_its_user_has_temporary_files(temporary: Path) -> None:
    """A fork server has an environment of its own, without TMPDIR; an unpacked class lies where the command has it."""
    path, held = scratch.make()
    os.close(held)
    forkserver.ForkServer().close()
    assert not os.path.exists(path)


def test_a_folder_with_more_entries_than_allowed_is_over_however_small_they_are(temporary: Path) -> None:
    """Files without a byte cost the machine inodes: as many as the limit are kept, at any depth, and not one more."""
    below = temporary / "below"
    below.mkdir()
    for number in range(scratch.MAX_ENTRIES - 1):
        (below / str(number)).touch()
    assert scratch.MAX_ENTRIES == 4096
    assert not scratch.is_over(str(temporary), 64)
    (temporary / "one more").symlink_to("nowhere")
    assert scratch.is_over(str(temporary), 64)


def test_a_folder_with_more_bytes_than_allowed_is_over_and_one_that_is_gone_is_not(temporary: Path) -> None:
    """Bytes are counted as blocks of the disk, so that a file with holes costs what it holds."""
    (temporary / "full").write_bytes(b"x" * (1 << 20))
    with (temporary / "holes").open("wb") as file:
        file.truncate(64 << 20)
    assert not scratch.is_over(str(temporary), 2)
    (temporary / "more").write_bytes(b"x" * (1 << 20))
    assert scratch.is_over(str(temporary), 1)
    assert not scratch.is_over(str(temporary / "gone"), 1)


def test_another_machines_folder_on_a_shared_disk_is_left_alone(temporary: Path) -> None:
    path = temporary / scratch.PREFIX.replace(os.uname().nodename, "another-machine")
    path.mkdir()
    launcher.sweep()
    assert path.is_dir()
