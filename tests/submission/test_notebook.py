"""Reading one file: whatever it holds, a submission comes back, and a sentence says what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT

from autograder.records import Exercise, Limits, Submission, Task
from autograder.submission import recognition
from autograder.submission.reader import read_submission

BAD = ROOT / "tests" / "submissions" / "bad"
GOOD = "def dequantize(q, scale, zero_point=0):\n    return (q.float() - zero_point) * scale\n"
NAMES = ("dequantize", "symmetric_quantization", "pack_int4", "unpack_int4")


def exercise(folder: Path = Path("nowhere")) -> Exercise:
    return Exercise("01_basic_quantization", {}, (Task("1.1", {}, NAMES, 1.0, {}),), Limits(), folder)


def read(path: Path) -> Submission:
    return read_submission(path, exercise(), "ann")


def write(path: Path, *sources: Any) -> Path:
    """A notebook of these code cells."""
    code = [{"cell_type": "code", "source": source} for source in sources]
    path.write_text(json.dumps({"nbformat": 4, "cells": code}), encoding="utf-8")
    return path


def bad(name: str, tmp_path: Path) -> Path:
    """One of the bad files, under its own name: scripts lie there as .py.txt, out of every linter's sight."""
    stored = BAD / name if (BAD / name).exists() else BAD / f"{name}.txt"
    return Path(shutil.copy(stored, tmp_path / name))


def body(submission: Submission) -> list[str]:
    """The lines of a submission's source, without blank ones and markers."""
    return [line for line in submission.source.split("\n") if line.strip() and not line.startswith("# ptqlab")]


UNREADABLE = {
    "answers.docx": "Expected a notebook (.ipynb) or a script (.py), but answers.docx came, which is a zip archive; "
    "hand in one of them.",
    "big5.py": "big5.py is not UTF-8 (byte 2); save it as UTF-8 and hand it in again.",
    "blank.ipynb": "blank.ipynb is empty (4 bytes); save it again and hand it in again.",
    "empty.ipynb": "empty.ipynb is empty (0 bytes); save it again and hand it in again.",
    "json_list.ipynb": "json_list.ipynb is JSON, but no notebook: it has no list of cells; "
    "save it again and hand it in again.",
    "json_without_cells.ipynb": "json_without_cells.ipynb is JSON, but no notebook: it has no list of cells; "
    "save it again and hand it in again.",
    "latin1.ipynb": "latin1.ipynb is not UTF-8 (byte 138); save it as UTF-8 and hand it in again.",
    "nested_too_deeply.ipynb": "nested_too_deeply.ipynb is no notebook: its JSON is too deep or a number too long; "
    "save it again and hand it in again.",
    "not_json.ipynb": "not_json.ipynb is no notebook: line 1 is not valid JSON (Expecting value); "
    "save it again and hand it in again.",
    "trailing_garbage.ipynb": "trailing_garbage.ipynb is no notebook: line 16 is not valid JSON (Extra data); "
    "save it again and hand it in again.",
    "truncated.ipynb": "truncated.ipynb is no notebook: line 12 is not valid JSON (Expecting ',' delimiter); "
    "save it again and hand it in again.",
    "utf16.ipynb": "utf16.ipynb is not UTF-8 (byte 0); save it as UTF-8 and hand it in again.",
}
READABLE: dict[str, tuple[str, ...]] = {
    "broken.py": (
        "The code from line 12 on does not parse (line 13: expected ':'): what it defines is not graded.",
        "The code from line 17 on does not parse (line 17: '(' was never closed): what it defines is not graded.",
    ),
    "broken_cells.ipynb": (
        "Cell 2 does not parse (line 1: invalid syntax): what it defines is not graded.",
        "Cell 4 does not parse (line 1: '(' was never closed): what it defines is not graded.",
        "Cell 5 does not parse (line 2: expected an indented block after 'if' statement on line 1): "
        "what it defines is not graded.",
        "Cell 6 does not parse (line 1: 'return' outside function): what it defines is not graded.",
    ),
    "broken_percent.py": (
        "The code from line 10 on does not parse (line 10: expected ':'): what it defines is not graded.",
        "The code from line 13 on begins with %%bash, which is no Python (line 14): what it defines is not graded.",
    ),
    "byte_order_mark.ipynb": (),
    "duplicate_ids.ipynb": ("Not run, since no graded function depends on it: cell 2, line 1.",),
    "lone_surrogate.ipynb": ("Not run, since no graded function depends on it: cell 1, line 1.",),
    "nan_and_infinity.ipynb": (),
    "nbformat3.ipynb": (),
    "no_code.ipynb": ("no_code.ipynb holds no code.",),
    "null_byte.ipynb": (
        "Cell 1 does not parse (line 1: source code string cannot contain null bytes): what it defines is not graded.",
    ),
    "number_too_long.ipynb": ("number_too_long.ipynb holds no code.",),
    "odd_cells.ipynb": ("3 code cells hold no text and were left out.",),
    "windows_line_ends.ipynb": (),
}


def test_every_bad_file_has_a_verdict() -> None:
    assert sorted(path.name.removesuffix(".txt") for path in BAD.iterdir()) == sorted([*UNREADABLE, *READABLE])


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_a_problem_in_one_sentence(name: str, tmp_path: Path) -> None:
    submission = read(bad(name, tmp_path))
    assert submission.problem == UNREADABLE[name]
    assert submission.source == ""
    assert len(submission.sha256) == 64


@pytest.mark.parametrize("name", READABLE)
def test_an_odd_file_is_read_all_the_same(name: str, tmp_path: Path) -> None:
    submission = read(bad(name, tmp_path))
    assert submission.problem == ""
    assert submission.notes == READABLE[name]
    assert ("def dequantize(q, scale, zero_point=0):" in submission.source) == (
        name not in ("no_code.ipynb", "number_too_long.ipynb")
    )


def test_the_good_statements_of_a_broken_script_keep_their_lines(tmp_path: Path) -> None:
    lines = read(bad("broken.py", tmp_path)).source.split("\n")
    assert lines[3] == "def dequantize(q, scale, zero_point=0):"
    assert lines[19] == "def pack_int4(q):"
    assert "symmetric_quantization" not in "\n".join(lines)


def test_the_first_statement_of_a_broken_script_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("T = 1\nx = (\ndef dequantize(): return T\n")
    assert body(read(tmp_path / "a.py")) == ["T = 1", "def dequantize(): return T"]


def test_the_fingerprint_is_of_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", GOOD)
    before = read(path).sha256
    path.write_bytes(path.read_bytes() + b"\n")
    assert read(path).sha256 != before


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    problem = read(tmp_path / "none.ipynb").problem
    assert problem == "none.ipynb cannot be read (No such file or directory); hand it in again."


def test_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").mkdir()
    assert read(tmp_path / "a.ipynb").problem == "a.ipynb is not a file; hand in a notebook (.ipynb) or a script (.py)."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_a_problem_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.ipynb")
    assert read(tmp_path / "a.ipynb").problem == "a.ipynb is not a file; hand in a notebook (.ipynb) or a script (.py)."


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "other.ipynb", GOOD)
    (tmp_path / "a.ipynb").symlink_to(tmp_path / "other.ipynb")
    submission = read(tmp_path / "a.ipynb")
    assert submission.problem == "a.ipynb is a symbolic link, which is not followed; hand in the file itself."
    assert submission.sha256 == ""


def test_a_file_that_becomes_a_link_after_it_was_looked_at_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, "O_NOFOLLOW"):
        pytest.skip("this system cannot refuse to follow a link when it opens a file")
    write(tmp_path / "other.ipynb", GOOD)
    (tmp_path / "a.ipynb").symlink_to(tmp_path / "other.ipynb")
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)
    assert read(tmp_path / "a.ipynb").problem.startswith("a.ipynb cannot be read (")


def lowest_free_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = lowest_free_descriptor()
    read(write(tmp_path / "a.ipynb", GOOD))
    read(tmp_path)
    assert lowest_free_descriptor() == before


def test_a_file_above_the_cap_is_a_problem_and_its_outputs_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "MOST_FILE", 2_000_000)
    path = write(tmp_path / "a.ipynb", GOOD)
    path.write_bytes(path.read_bytes() + b" " * 2_000_000)
    assert read(path).problem == "a.ipynb is larger than 2 MB; clear its outputs, save it again and hand it in again."


def test_outputs_do_not_count_as_code(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": GOOD, "outputs": [{"text": "x" * 2_000_000}]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert read(tmp_path / "a.ipynb").problem == ""


def test_code_above_a_megabyte_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "# " + "é" * 499_999, GOOD)
    assert read(path).problem == (
        "a.ipynb holds 1,000,084 bytes of code, but at most 1,000,000 are graded; remove what no task needs."
    )
    assert read(write(path, "# " + "é" * 499_957, GOOD)).problem == ""


def test_code_that_is_nearly_too_deep_costs_only_its_cell(tmp_path: Path) -> None:
    """It compiles; how deep a tree may be that is made of it depends on who asks."""
    deep = ["x = a" + ".b" * n for n in range(2700, 3000, 6)]
    submission = read(write(tmp_path / "a.ipynb", *deep, GOOD))
    assert GOOD in submission.source
    assert {note.partition(" (")[2] for note in submission.notes if note.startswith("Cell")} <= {
        "line 1: it is nested too deeply or holds a null byte): what it defines is not graded."
    }


def test_large_code_that_is_ordinary_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", f"TABLE = '{'x' * 100_000}'\n" + GOOD.replace("scale\n", "scale * len(TABLE)\n"))
    assert read(path).notes == ()
    assert "TABLE = 'xxx" in read(path).source


def test_source_lines_without_line_ends_are_joined(tmp_path: Path) -> None:
    assert body(read(write(tmp_path / "a.ipynb", GOOD.split("\n")))) == GOOD.split("\n")[:-1]
    assert body(read(write(tmp_path / "a.ipynb", GOOD.splitlines(keepends=True)))) == GOOD.split("\n")[:-1]


def test_many_broken_cells_are_counted_not_listed(tmp_path: Path) -> None:
    notes = read(write(tmp_path / "a.ipynb", *["x = ("] * 33)).notes
    assert len(notes) == 8
    assert notes[-1] == "… and 26 more remarks."


def test_cells_are_counted_as_jupyter_counts_them(tmp_path: Path) -> None:
    """Blank cells get no number when all cells are run."""
    notes = read(write(tmp_path / "a.ipynb", "", " \n", "x = 1", "# only a comment", "y = (")).notes
    assert notes[0].startswith("Cell 3 does not parse")
    assert notes[1] == "Not run, since no graded function depends on it: cell 1, line 1."


def test_statements_that_are_not_run_are_named_by_ranges(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "a = 1\nb = 2\nc = 3\n\nd = 4; e = 5", GOOD + "print(1)\n")
    assert read(path).notes == (
        "Not run, since no graded function depends on it: cell 1, lines 1–3, 5; cell 2, line 3.",
    )


def test_an_untouched_notebook_is_noted(tmp_path: Path) -> None:
    lab = exercise(tmp_path / "lab")
    lab.folder.mkdir()
    write(lab.folder / "lab.ipynb", GOOD, "check('1.1')")
    path = write(tmp_path / "a.ipynb", "", GOOD + " ", "check('1.1')")
    noted = "The code is as it was handed out: nothing has been written yet."
    assert read_submission(path, lab, "ann").notes[0] == noted
    assert noted not in read_submission(write(path, GOOD), lab, "ann").notes


# --- magics -------------------------------------------------------------------------------------------------------


def sliced(tmp_path: Path, source: str, *names: str) -> list[str]:
    task = Task("1.1", {}, names or ("f",), 1.0, {})
    lab = Exercise("01_x", {}, (task,), Limits(), tmp_path)
    submission = read_submission(write(tmp_path / "a.ipynb", source), lab, "ann")
    assert submission.problem == ""
    return [*body(submission), *(note for note in submission.notes if "does not parse" in note)]


@pytest.mark.parametrize(
    "magic",
    [
        "%matplotlib inline",
        "!pip install torch",
        "!pip install \\\n    torch",
        "?print",
        "print?",
        "torch.round??",
        "pip install torch",
        "files = !ls *.pt",
        "here = %pwd",
        "%load_ext x\n%autoreload 2\n!ls",
        "# about magics\n%%time",
    ],
)
def test_a_magic_line_is_left_out_and_the_rest_keeps_its_line(tmp_path: Path, magic: str) -> None:
    source = f"{magic}\nTOP = 127\ndef f(): return TOP"
    assert sliced(tmp_path, source) == [
        *([magic.partition("\n")[0]] if magic[0] == "#" else []),
        *source.split("\n")[-2:],
    ]
    line = read_submission(tmp_path / "a.ipynb", exercise(), "a").source  # nothing of it is graded: nothing is kept
    assert "TOP" not in line


def test_magics_within_blocks_keep_the_block_whole(tmp_path: Path) -> None:
    source = "if True:\n    %matplotlib inline\n    TOP = 1\nelse:\n\t!ls\ndef f(): return TOP"
    assert sliced(tmp_path, source) == [
        "if True:",
        "    pass",
        "    TOP = 1",
        "else:",
        "\tpass",
        "def f(): return TOP",
    ]


def test_a_percent_sign_in_an_expression_or_a_string_is_no_magic(tmp_path: Path) -> None:
    source = '%cd ..\nA = (7\n% 4)\nB = """\n%time\n!ls\nx?\n"""\ndef f(): return A, B'
    assert sliced(tmp_path, source) == source.split("\n")[1:]


def test_python_that_looks_like_a_shell_command_is_python(tmp_path: Path) -> None:
    assert sliced(tmp_path, "%cd ..\nls = [1]\ndef f(): return ls") == ["ls = [1]", "def f(): return ls"]


def test_reading_warns_nobody(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert sliced(tmp_path, "x = '\\d' is 'd'\ndef f(): return x") == ["x = '\\d' is 'd'", "def f(): return x"]
    assert not recwarn.list


def test_a_timed_statement_is_kept(tmp_path: Path) -> None:
    assert sliced(tmp_path, "%time TOP = 127\ndef f(): return TOP") == ["TOP = 127", "def f(): return TOP"]
    assert sliced(tmp_path, "%time 1 +\ndef f(): return 1") == ["def f(): return 1"]


@pytest.mark.parametrize("magic", ["%%time", "%%timeit -n1 -r1", "%%capture out --no-stderr", "\n\n%%prun"])
def test_a_cell_magic_over_python_keeps_the_cell(tmp_path: Path, magic: str) -> None:
    assert sliced(tmp_path, f"{magic}\ndef f(): return 1") == ["def f(): return 1"]
    assert sliced(tmp_path, f"{magic}\n%%time\ndef f(): return 1") == ["def f(): return 1"]


@pytest.mark.parametrize("magic", ["bash", "html", "sh", "javascript", "python2", "script python"])
def test_a_cell_magic_over_something_else_drops_the_cell(tmp_path: Path, magic: str) -> None:
    path = write(tmp_path / "a.ipynb", f"%%{magic}\ndef dequantize(): return 1")
    assert body(read(path)) == []
    assert read(path).notes == (
        f"Cell 1 begins with %%{magic.partition(' ')[0]}, which is no Python (line 1): what it defines is not graded.",
    )


def test_await_at_the_top_level_drops_only_its_statement(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "x = 3; y = await g()\nasync with a: pass\ndef dequantize(): return x")
    submission = read(path)
    assert body(submission) == ["x = 3; pass", "def dequantize(): return x"]
    assert submission.notes == ("Not run, since no graded function depends on it: cell 1, lines 1–2.",)


def test_an_indented_cell_is_moved_to_the_margin(tmp_path: Path) -> None:
    assert sliced(tmp_path, "    def f():\n        return 1\n\n    x = 2") == ["def f():", "    return 1"]


def test_a_form_feed_ends_no_line(tmp_path: Path) -> None:
    assert sliced(tmp_path, "A = 1\n\x0c\ndef f(): return A\n") == ["A = 1", "def f(): return A"]
    assert sliced(tmp_path, "A = '\x0c\u2028'\nprint(A)\ndef f(): return A") == [
        "A = '\x0c\u2028'",
        "def f(): return A",
    ]


def test_a_backslash_above_an_await_at_the_end_costs_nothing(tmp_path: Path) -> None:
    submission = read(write(tmp_path / "a.ipynb", GOOD, "x = 1\n\\\ny = await x"))
    assert body(submission) == GOOD.splitlines()
    assert len(submission.notes) == 1


# --- whatever comes -----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["cells", "source", "worksheets", "x"]), inner),
    max_leaves=12,
)
LINES = st.lists(
    st.sampled_from(
        [
            "def f(x):",
            "    return x",
            "%%time",
            "%matplotlib inline",
            "!ls \\",
            "x = (",
            ")",
            "'''",
            "f?",
            "\t",
            "@f",
            "else:",
            "class A: pass",
            "x = await y",
            "from __future__ import annotations",
            "a; b; f = a",
            "if f:",
            "from __future__ import nothing",
            "    %time x = 1",
            "\\",
            "x = 1; \\",
            "for i in x: y.append(i)",
            "return",
            "\x0c",
            "# %%",
            "é = 'é'; print(é); f = é",
        ]
    ),
    max_size=8,
).map("\n".join)


def readable(path: Path) -> Submission:
    """What every submission must be, whatever the file holds."""
    lab = Exercise("01_x", {}, (Task("1.1", {}, ("f",), 1.0, {}),), Limits(), path.parent)
    submission = read_submission(path, lab, "ann")
    compile(submission.source, "<slice>", "exec", dont_inherit=True)
    assert not (submission.problem and submission.source.strip())
    return submission


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], Path]:
    folder = tmp_path_factory.mktemp("any")

    def put(name: str, data: bytes) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return put


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_are_read(place: Callable[[str, bytes], Path], data: bytes) -> None:
    readable(place("a.ipynb", data))
    readable(place("a.py", data))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(JSON)
def test_any_json_is_read(place: Callable[[str, bytes], Path], value: Any) -> None:
    readable(place("a.ipynb", json.dumps(value).encode()))
    nested = {"cells": [{"cell_type": "code", "source": value}, value], "worksheets": [value]}
    readable(place("a.ipynb", json.dumps(nested).encode()))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(LINES, max_size=3), st.text(max_size=30))
def test_any_code_is_read(place: Callable[[str, bytes], Path], sources: list[str], text: str) -> None:
    parts = [{"cell_type": "code", "source": source} for source in (*sources, text)]
    readable(place("a.ipynb", json.dumps({"cells": parts}).encode()))
    readable(place("a.py", "\n# %%\n".join([*sources, text]).encode("utf-8", "replace")))
