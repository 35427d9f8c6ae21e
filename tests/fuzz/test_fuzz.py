"""Fuzzing the three readers of what others send: a bounded run, the same every time, and proof that it can fail."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archive_target
import bounds
import child_target
import msgspec
import notebook_target
import pytest
import run
import wire_target
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.grading import archives
from autograder.runtime import wire
from autograder.sandbox import reading, unpacking
from autograder.submission import cells, linking, notebook, pieces, slicing
from autograder.submission import reader as reader_module

HERE = Path(__file__).resolve().parent
RUNS = {"wire": 15_000, "notebook": 3_000, "archive": 1_500, "child": 12}  # what takes some CPU seconds
FULL = {"wire": 1_000_000, "notebook": 1_000_000, "archive": 1_000_000, "child": 10_000}
TARGETS = {"wire": wire_target, "notebook": notebook_target, "archive": archive_target, "child": child_target}


@pytest.fixture(autouse=True)
def counted_from_here() -> Iterator[None]:
    """What other tests took in this process is not a reader's; and their own timers come back."""
    before = signal.getsignal(signal.SIGPROF)
    bounds.Bounds.forget()
    yield
    signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("reader", RUNS)
def test_no_input_breaks_a_reader(reader: str) -> None:
    inputs = run.seeds(reader)
    run.plain(TARGETS[reader], inputs[::8] if reader == "child" else inputs, RUNS[reader], run.LONGEST[reader])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(("wire", "notebook", "archive")), st.binary(max_size=150))
def test_no_bytes_that_hypothesis_makes_break_a_reader(reader: str, data: bytes) -> None:
    TARGETS[reader].one(data)


@pytest.mark.proof
@pytest.mark.parametrize("reader", RUNS)
def test_a_million_inputs_break_no_reader_and_ten_thousand_no_child(reader: str) -> None:
    """A quarter of an hour each."""
    command = [sys.executable, "-P", str(HERE / "run.py"), reader, f"--runs={FULL[reader]}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["runs"] == FULL[reader]


def test_the_seeds_are_small() -> None:
    assert sum(len(data) for reader in RUNS if reader != "child" for data in run.seeds(reader)) < 500_000


# --- a defect in each reader, put there on purpose ------------------------------------------------------------------


def endless(*_: Any) -> Any:
    while True:
        pass


def greedy(*_: Any) -> Any:
    return len(b"\x01" * ((bounds.GROWTH_MB + 60) << 20))


def instead(error: type[Exception], reader: Callable[..., Any]) -> Callable[..., Any]:
    """`reader`, with an error of another kind where it refuses."""

    def one(*args: Any, **kwargs: Any) -> Any:
        try:
            return reader(*args, **kwargs)
        except wire.WireError:
            raise error from None

    return one


def misread(raw: bytearray, dtype: Any, shape: list[int]) -> Any:
    tensor = from_bytes(raw, dtype, shape)
    return tensor.t() if tensor.dim() == 2 else tensor


def popped(parts: list[str], cell: pieces.Cell, lines: list[str]) -> None:
    """As it was before fuzzing found it: a backslash at the end loses the line below."""
    while lines and not lines[-1].strip():
        lines.pop()
    parts += lines


def escaped(store: Any, member: Any, target: Path) -> None:
    copy_out(store, member, Path(archive_target.WORK.name) / "escaped.py")


def linked(store: Any, member: Any, target: Path) -> None:
    target.symlink_to("/etc/passwd")


def overlong(store: Any, member: Any, target: Path) -> None:
    store.seek(member.start)
    target.write_bytes(store.read() * 5)


def another(error: Exception) -> str:
    raise KeyError from error


from_bytes, copy_out = wire._from_bytes, archives._copy_out
DEFECTS: dict[str, tuple[str, object, str, object, type[BaseException]]] = {
    "a frame's error is another": ("wire", wire, "decode", instead(KeyError, wire.decode), KeyError),
    "a tensor is not dense": ("wire", wire, "_from_bytes", misread, bounds.Broken),
    "a key is looked at for ever": ("wire", wire, "_is_key", endless, bounds.Hang),
    "a dtype takes all memory": ("wire", wire, "_device", greedy, bounds.Broken),
    "a null byte is an error": ("notebook", cells, "normal", lambda text: compile(text, "", "eval"), SyntaxError),
    "a slice does not compile": ("notebook", slicing, "_append", popped, bounds.Broken),
    "a problem is two lines": ("notebook", notebook, "AGAIN", "save it\nagain.", bounds.Broken),
    "a slice takes for ever": ("notebook", linking, "names_of", endless, bounds.Hang),
    "a note breaks its cap": ("notebook", reader_module, "short", lambda text: text * 700, msgspec.ValidationError),
    "an archive's error is another": ("archive", unpacking, "_reason", another, KeyError),
    "an archive writes elsewhere": ("archive", archives, "_copy_out", escaped, bounds.Broken),
    "an archive makes links": ("archive", archives, "_copy_out", linked, bounds.Broken),
    "sizes are not looked at": ("archive", archives, "_copy_out", overlong, bounds.Broken),
    "a child's end is our fault": ("child", reading, "_sentence", lambda *_: "", bounds.Broken),
    "a name is looked at for ever": ("archive", archives, "_plain_parts", endless, bounds.Hang),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_fuzzer_finds_a_defect(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, module, name, replacement, expected = DEFECTS[defect]
    monkeypatch.setattr(module, name, replacement)
    monkeypatch.setattr(
        linking, "_analysed", linking._analysed.__wrapped__
    )  # what is known already is no test of anything
    monkeypatch.setattr(bounds, "CPU_S", 0.3)
    with pytest.raises(expected):
        run.plain(TARGETS[reader], run.seeds(reader), RUNS[reader], run.LONGEST[reader])
    archive_target.clear()


def test_time_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes no hang: who waits is not charged."""
    monkeypatch.setattr(bounds, "CPU_S", 0.05)
    with bounds.Bounds():
        time.sleep(0.1)
    with pytest.raises(bounds.Hang), bounds.Bounds():
        endless()


def test_the_modules_that_guide_the_fuzzer_exist() -> None:
    for names in run.READERS.values():
        assert all(importlib.import_module(name).__file__ for name in names)
