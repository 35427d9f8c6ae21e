"""The bounded reader: whatever a file holds, its student gets a sentence or a grade, and nobody else notices."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, hostile, ordinary_user

from autograder.course.catalog import load_exercise
from autograder.records import Exercise, Limits, PtqlabError, Task
from autograder.sandbox import reading
from autograder.sandbox.reader_main import OUT_OF_MEMORY, READING, SIZE, TOO_DEEP, Ended, HandedOut, Request
from autograder.sandbox.unpacking import Caps
from autograder.submission.reader import read_submission
from autograder.submission.record import Code, Look, Record, encode

SLUG = "01_basic_quantization"
LAB = load_exercise(ROOT / "exercises" / SLUG, ROOT / "solutions")
BAD = ROOT / "tests" / "submissions" / "bad"
GOOD = "def dequantize(q, scale, zero_point=0):\n    return (q.float() - zero_point) * scale\n"
MOST_MB = 1100  # of a child: its limit, and what it shares with its parent


def notebook(path: Path, *sources: str, **more: Any) -> Path:
    cells = [{"cell_type": "code", "source": source} for source in sources]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells, **more}), encoding="utf-8")
    return path


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[Ended]:
    """How each child ended, and what it took, as wait4 tells."""
    seen: list[Ended] = []
    ask = reading.Reader.ask

    def kept(self: reading.Reader, *more: Any) -> tuple[bytes, Ended]:
        said, ended = ask(self, *more)
        seen.append(ended)
        return said, ended

    monkeypatch.setattr(reading.Reader, "ask", kept)
    return seen


def within(cpu_s: int, path: Path) -> Record:
    """Read a file as a grader does, within fewer CPU seconds."""
    lab = HandedOut(LAB.slug, LAB.functions, str(LAB.folder))
    with reading._sealed(path, None) as (file, size, sha256):
        return reading._answer(
            Request("read", path.name, (lab,), Caps(0, 0, 0, cpu_s=cpu_s)), [file], size=size, sha256=sha256
        )


# --- files that are too much --------------------------------------------------------------------------------------


def test_code_that_takes_the_compilers_memory_costs_only_its_cell(tmp_path: Path, ends: list[Ended]) -> None:
    """28 KB of source made the grading process take more than 6 GB."""
    record = reading.read(
        notebook(tmp_path / "a.ipynb", hostile.or_pattern(2_500), hostile.nested_finally(40), GOOD), LAB
    )
    assert (record.problem, record.fault) == ("", "")
    assert record.code is not None
    assert GOOD.strip() in record.code.source
    assert "case" not in record.code.source
    assert [note.partition(" ")[0] for note in record.code.notes[:1]] == ["Cell"]
    assert ends[-1].peak_mb < MOST_MB


@pytest.mark.parametrize("kind", ["fields of an f-string", "names that stand for each other"])
def test_code_that_keeps_the_reader_busy_is_its_students_sentence(kind: str, tmp_path: Path) -> None:
    """Python 3.11 parses an f-string of many fields in quadratic time; the sentence says where the reader was."""
    if kind == "fields of an f-string":
        cells = [hostile.fields(31_000)] * 10
        if sys.version_info >= (3, 12):
            pytest.skip("the parser is quick here")
    else:
        cells = [hostile.aliases(25_000), "dequantize = a1"]
    record = within(1, notebook(tmp_path / "a.ipynb", *cells))
    assert record.problem.startswith("a.ipynb takes longer than 1 s to be read (at ")
    assert record.problem.endswith("), as no honest file does: it is not graded.")
    assert (record.fault, record.code) == ("", None)


@pytest.mark.parametrize("where", ["an unknown key", "outputs", "outputs, with a NaN", "metadata"])
def test_json_that_becomes_many_objects_takes_nobodys_memory(where: str, tmp_path: Path, ends: list[Ended]) -> None:
    """48 MB of them made the main command take 1.6 GB."""
    many = '{"":[]},' * (6_000_000 if where != "outputs" else 2_000_000) + "0"
    outputs = many if where.startswith("outputs") else ""
    cell = f'{{"cell_type":"code","source":{json.dumps(GOOD)},"outputs":[{outputs}]}}'
    parts = {
        "an unknown key": f'{{"cells":[{cell}],"x":[{many}]}}',
        "metadata": f'{{"cells":[{cell}],"metadata":{{"x":[{many}]}}}}',
        "outputs, with a NaN": f'{{"cells":[{cell}],"x":NaN}}',
    }
    path = tmp_path / "a.ipynb"
    path.write_text(parts.get(where, f'{{"cells":[{cell}]}}'), encoding="utf-8")
    record = reading.read(path, LAB)
    if where in ("an unknown key", "outputs"):  # it is skipped
        assert record.code is not None
        assert GOOD.strip() in record.code.source
        assert ends[-1].peak_mb < 100 + (path.stat().st_size >> 20)
    else:
        assert record.problem == (
            "a.ipynb needs more than 1 GB of memory to be read, as no honest file does: it is not graded."
        )
    assert record.fault == ""
    assert ends[-1].peak_mb < MOST_MB


def test_code_that_crashes_the_compiler_is_its_students_sentence(tmp_path: Path) -> None:
    """CPython 3.11 dies of a comprehension with some ten thousand loops; other versions raise."""
    record = reading.read(notebook(tmp_path / "a.ipynb", GOOD, hostile.loops(80_000)), LAB)
    crashed = "a.ipynb is too large or too intricate for Python's own compiler (at cell 2): it is not graded."
    assert record.fault == ""
    assert record.problem == crashed or (record.code is not None and GOOD.strip() in record.code.source)


def test_a_notebook_with_60_mb_of_outputs_is_read_in_full(tmp_path: Path, ends: list[Ended]) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["x" * 1000 + "\n"] * 60_000}
    cell = {"cell_type": "code", "source": GOOD, "outputs": [output]}
    plain = reading.read(notebook(tmp_path / "plain.ipynb", GOOD), LAB)
    for more in ({}, {"n": float("nan")}):
        (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell], **more}))
        record = reading.read(tmp_path / "a.ipynb", LAB)
        assert record.code is not None
        assert plain.code is not None
        assert (record.code.source, record.tokens) == (plain.code.source, plain.tokens)
        assert ends[-1].peak_mb < 500


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_json_of_any_depth_is_a_sentence_or_skipped(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text('{"cells":[],"x":' + "[" * depth + "]" * depth + "}")
    record = reading.read(path, LAB)
    assert record.fault == ""
    assert record.problem.startswith("a.ipynb is no notebook: its JSON is too deep") or depth == 1_000


# --- what is said of a child that ended ---------------------------------------------------------------------------

REST = "as no honest file does: it is not graded."
ENDS = {  # how it ended -> the student's sentence; "" where the file is not the reason
    "out of memory": (Ended(OUT_OF_MEMORY << 8, 1.0, 990), f"a needs more than 1 GB of memory to be read (at cell 2), {REST}"),
    "an error of ours for want of memory": (Ended(1 << 8, 1.0, 990), f"a needs more than 1 GB of memory to be read (at cell 2), {REST}"),
    "too deep": (Ended(TOO_DEEP << 8, 1.0, 50), "a is nested too deeply (at cell 2): it is not graded."),
    "its CPU seconds": (Ended(signal.SIGXCPU, 9.7, 50), f"a takes longer than 10 s to be read (at cell 2), {REST}"),
    "its CPU seconds, on a busy machine": (Ended(signal.SIGALRM, 3.0, 50), f"a takes longer than 10 s to be read (at cell 2), {REST}"),
    "a crash": (Ended(signal.SIGSEGV, 1.0, 50), "a is too large or too intricate for Python's own compiler (at cell 2): it is not graded."),
    "killed where memory is short": (Ended(signal.SIGKILL, 1.0, 400), f"a needs more than 1 GB of memory to be read (at cell 2), {REST}"),
    "killed from outside": (Ended(signal.SIGKILL, 0.1, 50), ""),
    "a machine that stood still": (Ended(signal.SIGALRM, 0.1, 50), ""),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDS)
def test_each_end_of_a_child_has_its_sentence(how: str) -> None:
    ended, sentence = ENDS[how]
    assert reading._sentence("a", "cell 2", ended, READING, 1) == sentence


def replies(monkeypatch: pytest.MonkeyPatch, *answers: tuple[bytes, Ended]) -> list[tuple[bytes, Ended]]:
    left = list(answers)
    monkeypatch.setattr(reading.Reader, "ask", lambda *_: left.pop(0))
    return left


def framed(*frames: Any) -> bytes:
    return b"".join(SIZE.pack(len(body)) + body for body in map(encode, frames))


KILLED = (b"", Ended(signal.SIGKILL, 0.1, 50))
READ = (framed(Look(kind="script"), Code(lab=SLUG, source="x = 1\n")), Ended())


def test_a_child_that_is_killed_from_outside_gets_a_second_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that is killed twice, for no reason that lies in the file, withholds the score."""
    path = notebook(tmp_path / "a.ipynb", GOOD)
    replies(monkeypatch, KILLED, READ)
    assert reading.read(path, LAB).fault == ""
    replies(monkeypatch, KILLED, KILLED)
    record = reading.read(path, LAB)
    assert record.fault == "The reader was ended from outside (status 9, 50 MB)."
    assert record.problem == ""


def test_what_breaks_after_the_code_is_known_costs_only_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(tmp_path / "a.ipynb", GOOD)
    for status in (signal.SIGXCPU, signal.SIGKILL, 1 << 8):
        replies(monkeypatch, (READ[0], Ended(status, 10.0, 50)))
        record = reading.read(path, LAB)
        assert (record.problem, record.fault, record.tokens) == ("", "", "")
        assert record.code is not None


@pytest.mark.parametrize(
    "said",
    [
        b"\xff" * 100,
        SIZE.pack(9 << 20) + bytes(9 << 20),
        SIZE.pack(3) + b"abc",
        framed(Code(lab=SLUG, source="x" * 2_000_000)),
        framed(Code(lab=SLUG, source="", notes=["x"] * 1_000)),
        framed(Look(kind="script")) * 2_000_000,
    ],
    ids=["noise", "a long frame", "no frame", "too much code", "too many notes", "too many frames"],
)
def test_a_child_is_not_believed_beyond_its_caps(said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replies(monkeypatch, (said, Ended()))
    record = reading.read(notebook(tmp_path / "a.ipynb", GOOD), LAB)
    assert record.problem == "a.ipynb could not be read: it makes more than a notebook can hold."
    assert (record.fault, record.code) == ("", None)


# --- the processes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in BAD.iterdir()))
def test_a_file_reads_the_same_in_a_child_and_at_home(name: str, tmp_path: Path) -> None:
    path = Path(shutil.copy(BAD / name, tmp_path / name.removesuffix(".txt")))
    record, submission = reading.read(path, LAB), read_submission(path, LAB, "ann")
    code = record.code or Code(lab=SLUG, source="")
    assert (record.sha256, record.problem) == (submission.sha256, submission.problem)
    assert (code.source, tuple(code.notes)) == (submission.source, submission.notes)


def test_what_is_read_is_what_was_hashed(tmp_path: Path) -> None:
    """A file that is cut or changed while it is read changes nothing: it is read from a sealed copy."""
    path = notebook(tmp_path / "a.ipynb", GOOD)
    with reading._sealed(path, None) as (file, size, _):
        path.write_bytes(b"")
        assert size > 0
        for change in (lambda: os.write(file, b"x"), lambda: os.ftruncate(file, 0)):
            with pytest.raises(PermissionError):
                change()


def test_a_parent_that_died_is_started_again(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", GOOD)
    first = reading.read(path, LAB)
    parent = reading._reader()._process
    parent.kill()
    parent.wait()
    assert reading.read(path, LAB) == first


def test_a_parent_that_can_not_live_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be read then: it is said once, and no student gets a 0 for it."""
    reading._reader().close()
    monkeypatch.setattr(reading, "_PROGRAM", "raise SystemExit('no such library')")
    with pytest.raises(PtqlabError, match=r"^The process that reads submissions ended twice \(no such library\)"):
        reading.read(notebook(tmp_path / "a.ipynb", GOOD), LAB)


def test_a_notebook_that_was_handed_out_broken_is_said_to_the_instructor(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "lab.ipynb").write_text("{")
    lab = Exercise("01_x", {}, (Task("1.1", {}, ("f",), 1.0, {}),), Limits(), tmp_path / "lab")
    with pytest.raises(PtqlabError, match=r"What was handed out can't be read: .*lab.ipynb.*; run `ptqlab build`"):
        reading.read(notebook(tmp_path / "a.ipynb", GOOD), lab)


def test_the_parent_has_one_thread_and_no_torch(tmp_path: Path) -> None:
    reading.read(notebook(tmp_path / "a.ipynb", GOOD), LAB)
    own = Path(f"/proc/{reading._reader()._process.pid}")
    assert len(list((own / "task").iterdir())) == 1
    assert "torch" not in (own / "maps").read_text()
    environment = dict(line.split("=", 1) for line in (own / "environ").read_text().split("\0") if line)
    assert "HOME" not in environment


TRYING = """
import os, resource, socket
from autograder.sandbox import reader_main
reader_main.bound(reader_main._filter(), os.getppid(), reader_main.READING)
tries = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY), "write": lambda: os.open("x", os.O_CREAT | os.O_WRONLY),
    "list": lambda: os.listdir("/"), "fork": os.fork, "execute": lambda: os.execv("/bin/true", ["true"]),
    "connect": socket.socket, "kill": lambda: os.kill(os.getppid(), 0), "unlimit": lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 1)),
    "remember": lambda: os.memfd_create("x"), "stat": lambda: os.stat("/etc/shadow_of_nobody"),
}
for name, attempt in tries.items():
    try:
        attempt()
    except (PermissionError, ValueError):  # the second is how setrlimit says it
        print(name, "refused", flush=True)
    except FileNotFoundError:
        print(name, "answered", flush=True)
"""


@pytest.mark.skipif(find_spec("pyseccomp") is None, reason="pyseccomp is not installed")
@pytest.mark.parametrize("user", ["this user", "an ordinary user"])
def test_a_child_can_open_start_and_send_nothing(user: str) -> None:
    command = ["-c", TRYING]
    if user == "this user":
        done = subprocess.run([sys.executable, "-P", *command], capture_output=True, text=True)
    else:
        done = ordinary_user.run(command)
    names = "open write list fork execute connect kill unlimit remember".split()
    assert done.stdout.splitlines()[: len(names)] == [f"{name} refused" for name in names], done.stderr


def test_an_ordinary_user_reads_with_the_same_limits(tmp_path: Path) -> None:
    """Neither root nor namespaces are needed."""
    program = f"""
import json
from pathlib import Path
from autograder.course.catalog import load_exercise
from autograder.sandbox import reading
Path("a.ipynb").write_text(json.dumps({{"cells": [], "n": [{{}}] * 5, "x": float("nan")}}).replace("[{{}}", "[" + '{{"":[]}},' * 6_000_000 + "{{}}"))
Path("b.py").write_text({GOOD!r})
lab = load_exercise(Path({str(LAB.folder)!r}))
print(reading.read(Path("a.ipynb"), lab).problem)
print("dequantize" in reading.read(Path("b.py"), lab).code.source)
"""
    done = ordinary_user.run(["-c", program])
    assert done.stdout.splitlines() == [
        "a.ipynb needs more than 1 GB of memory to be read, as no honest file does: it is not graded.",
        "True",
    ], done.stderr


# --- what another Python takes ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python takes it")
def test_code_for_a_newer_python_is_shown_to_a_parser_that_knows_both(tmp_path: Path, ends: list[Ended]) -> None:
    """A cell that doesn't compile here is looked at by a parser that knows both, as the notebook says who made it."""
    cells = (
        "type Number = int\nONE = 1",
        "def dequantize(q, scale, zero_point=0) -> 'Number':\n    return Number(q) * ONE",
    )
    about = {"metadata": {"language_info": {"name": "python", "version": "3.13.1"}}}
    record = reading.read(notebook(tmp_path / "a.ipynb", *cells, **about), LAB)
    assert record.code is not None
    assert record.code.needs_python == {"dequantize": ("3.12", "cell 1, line 1")}
    assert "ONE = 1" in record.code.source
    assert len(ends) == 2, "read, and with what the other parser says read again"
    assert not any(ended.status for ended in ends)
    about["metadata"]["language_info"]["version"] = "3.11.2"
    record = reading.read(notebook(tmp_path / "a.ipynb", *cells, **about), LAB)
    assert (record.code and record.code.needs_python) == {}
    assert len(ends) == 3, "nobody is asked where the notebook is as old as this Python"


def test_a_package_that_is_not_here_and_a_file_that_a_cell_writes_are_in_the_record(tmp_path: Path) -> None:
    cells = (
        "%%writefile own.py\nTWO = 2",
        "import nowhere_at_all as n\nfrom own import TWO\n" + GOOD.replace("scale\n", "n(scale, TWO)\n"),
    )
    record = reading.read(notebook(tmp_path / "a.ipynb", *cells), LAB)
    assert record.code is not None
    assert record.code.helpers == {"own.py": "TWO = 2\n"}
    assert record.code.absent["dequantize"] == ("nowhere_at_all", "cell 2, line 1")
