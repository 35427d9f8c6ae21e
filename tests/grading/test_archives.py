"""Archives of submissions: what comes out are regular files with plain names, and nobody is lost in silence."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.grading import archives
from autograder.grading.archives import CLASS, STUDENT, Unpacked, opened
from autograder.grading.intake import find_submissions
from autograder.records import Exercise, Fate, Limits, PtqlabError, Task
from autograder.sandbox.unpacking import ARCHIVES, Caps

SLUG = "01_first"
FILE = f"{SLUG}.py"


@pytest.fixture
def exercises(tmp_path: Path) -> list[Exercise]:
    folder = tmp_path / "course" / SLUG
    folder.mkdir(parents=True)
    return [Exercise(SLUG, {}, (Task("1.1", {}, ("f",), 1.0, {}),), Limits(), folder)]


def zipped(contents: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for name, data in contents.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def rows(submissions: Path, exercises: list[Exercise]) -> tuple[dict[str, str], list[str]]:
    """Each student's code, or the problem; and the notes."""
    with opened(submissions) as view:
        found = find_submissions(view.root, exercises, refused=view.refused)
        undecided = [fate.why for fate in found.fates if not fate.owner and fate.why]
        return {f.student: f.path.read_text() if f.path else f.problem for f in found.rows}, view.notes + undecided


def unpacked(archive: Path, into: Path, caps: Caps = STUDENT) -> tuple[str, list[str], list[str]]:
    """Why nothing came out, the files that did, and the notes on those that did not."""
    into.mkdir()
    view = Unpacked(into)
    record = archives.unpack(archive, into, caps, view)
    assert record.fault == ""
    return record.problem, below(into), [entry.problem for entry in view.refused]


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- layouts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_a_class_in_an_archive_is_found_like_a_class_in_a_folder(
    tmp_path: Path, exercises: list[Exercise], suffix: str
) -> None:
    path = tmp_path / f"class{suffix}"
    names = {f"ann/{FILE}": b"a = 1", f"bob/hw/{FILE}": b"b = 1", "ann/plot.png": b"", f"__MACOSX/ann/._{FILE}": b""}
    if suffix == ".zip":
        path.write_bytes(zipped(names))
    else:
        with tarfile.open(path, f"w:{ {'.tar': '', '.tgz': 'gz'}.get(suffix, suffix.rpartition('.')[2]) }") as bundle:
            for name, data in names.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                bundle.addfile(info, io.BytesIO(data))
    assert rows(path, exercises) == ({"ann": "a = 1", "bob": "b = 1"}, [])


def test_a_folder_without_archives_is_used_as_it_is(tmp_path: Path) -> None:
    put(tmp_path / "class" / "ann" / FILE, b"")
    with opened(tmp_path / "class") as view:
        assert view.root == tmp_path / "class"
    with opened(tmp_path / "class" / "ann" / FILE) as view:
        assert view.root == tmp_path / "class" / "ann" / FILE


def test_students_archives_in_a_folder_are_opened_and_the_folder_left_alone(
    tmp_path: Path, exercises: list[Exercise]
) -> None:
    root = tmp_path / "class"
    put(root / "ann.zip", zipped({FILE: b"a = 1"}))
    put(root / "bob" / "work.zip", zipped({f"hw/{FILE}": b"b = 1"}))
    put(root / "eve" / FILE, b"e = 1")
    before = below(root)
    assert rows(root, exercises) == ({"ann": "a = 1", "bob": "b = 1", "eve": "e = 1"}, [])
    assert below(root) == before


def test_archives_in_an_archive_are_opened_one_level_deep(tmp_path: Path, exercises: list[Exercise]) -> None:
    inner = zipped({FILE: b"a = 1", "more.zip": zipped({FILE: b"x"})})
    put(tmp_path / "class.zip", zipped({"ann/hw.zip": inner}))
    assert rows(tmp_path / "class.zip", exercises) == ({"ann": "a = 1"}, [])


def test_moodles_and_canvas_names_become_students(tmp_path: Path, exercises: list[Exercise]) -> None:
    put(tmp_path / "moodle.zip", zipped({f"Ann Lee_123_assignsubmission_file_/{FILE}": b"a"}))
    assert rows(tmp_path / "moodle.zip", exercises)[0] == {"Ann Lee_123": "a"}
    put(tmp_path / "canvas.zip", zipped({f"leeann_LATE_123_456_{SLUG}-2.py": b"a", f"bob_7_8_{FILE}": b"b"}))
    assert rows(tmp_path / "canvas.zip", exercises)[0] == {"leeann_123": "a", "bob_7": "b"}


def test_the_folder_is_gone_afterwards(tmp_path: Path) -> None:
    put(tmp_path / "class.zip", zipped({f"ann/{FILE}": b"a"}))
    with opened(tmp_path / "class.zip") as view:
        assert view.root.is_dir()
    assert not view.root.parent.exists()


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        f"../{FILE}",
        f"/{FILE}",
        f"ann/../../{FILE}",
        f"c:\\x\\{FILE}",
        f"ann\\{FILE}/{FILE}",
        f"a\nb/{FILE}",
        "/".join(["d"] * 14) + f"/{FILE}",
        f"{'x' * 300}/{FILE}",
    ],
)
def test_a_name_that_is_not_plain_is_refused_and_the_rest_is_unpacked(
    tmp_path: Path, exercises: list[Exercise], name: str
) -> None:
    data = bytearray(zipped({name.replace("\\", "?"): b"x", f"bob/{FILE}": b"b"}))
    data = data.replace(name.replace("\\", "?").encode(), name.encode())  # zipfile would mend it while writing
    put(tmp_path / "class.zip", bytes(data))
    found, notes = rows(tmp_path / "class.zip", exercises)
    assert found == {"bob": "b"}
    assert len(notes) == 1
    assert notes[0].isprintable()


def test_links_and_devices_are_refused_with_the_students_name(tmp_path: Path, exercises: list[Exercise]) -> None:
    path = tmp_path / "class.tar"
    with tarfile.open(path, "w") as bundle:
        for student, kind in (("ann", tarfile.SYMTYPE), ("bob", tarfile.LNKTYPE), ("eve", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(f"{student}/{FILE}")
            info.type, info.linkname = kind, "/etc/passwd"
            bundle.addfile(info)
        info = tarfile.TarInfo(f"zoe/{FILE}")
        bundle.addfile(info, io.BytesIO(b""))
    found, notes = rows(path, exercises)
    expected = "is a link or a device, which is not unpacked; hand in the file itself."
    assert [found[name] for name in ("ann", "bob", "eve")] == [f"{n}/{FILE} {expected}" for n in ("ann", "bob", "eve")]
    assert (found["zoe"], notes) == ("", [])


def test_a_link_in_a_zip_is_refused(tmp_path: Path, exercises: list[Exercise]) -> None:
    info = zipfile.ZipInfo(f"ann/{FILE}")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as packed:
        packed.writestr(info, "/etc/passwd")
        packed.writestr(f"bob/{FILE}", "b")
    found, _ = rows(tmp_path / "class.zip", exercises)
    assert found["bob"] == "b"
    assert "is a link" in found["ann"]


def test_a_name_that_comes_twice_counts_neither_time(tmp_path: Path, exercises: list[Exercise]) -> None:
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as packed:
        packed.writestr(f"ann/{FILE}", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr(f"ann/{FILE}", "second")
        packed.writestr(f"bob/{FILE}", "b")
        packed.writestr(f"eve/{FILE}", "e")
        packed.writestr(f"eve/{FILE.upper()}", "E")
    found, _ = rows(tmp_path / "class.zip", exercises)
    assert found["bob"] == "b"
    assert "twice" in found["ann"]
    assert "twice" in found["eve"]


def test_sizes_are_counted_and_not_believed(tmp_path: Path) -> None:
    small = Caps(entries=3, file_bytes=1000, all_bytes=1500, cpu_s=10)
    bomb = put(tmp_path / "bomb.zip", zipped({"a.py": b"0" * 900, "b.py": b"0" * 900}))
    expected = "Expected an archive that can be unpacked, but "
    assert unpacked(bomb, tmp_path / "1", small) == (f"{expected}bomb.zip unpacks to more than 0 MB.", [], [])
    big = put(tmp_path / "big.zip", zipped({"a.py": b"0" * 1001, "b.py": b""}))
    note = "a.py is larger than 0 MB; clear the outputs and hand it in anew."
    assert unpacked(big, tmp_path / "2", small) == ("", ["b.py"], [note])
    many = put(tmp_path / "many.zip", zipped({f"{n}.png": b"" for n in range(4)}))
    assert unpacked(many, tmp_path / "3", small) == (f"{expected}many.zip holds more than 3 entries.", [], [])


def test_a_file_that_lies_about_its_size_costs_only_itself(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.py": b"0" * 5000, "b.py": b"b"}))
    for at in (22, data.index(b"PK\1\2") + 24):  # the claimed size, in the local and in the central header
        data[at : at + 4] = (10).to_bytes(4, "little")
    path = put(tmp_path / "liar.zip", bytes(data))
    assert unpacked(path, tmp_path / "out") == ("", ["b.py"], ["a.py can't be read (BadZipFile)."])


def test_a_file_with_60_mb_of_outputs_is_unpacked(tmp_path: Path) -> None:
    path = put(tmp_path / "a.zip", zipped({FILE: b"0" * 60_000_000}))
    assert unpacked(path, tmp_path / "out") == ("", [FILE], [])
    assert (tmp_path / "out" / FILE).stat().st_size == 60_000_000


def test_a_broken_archive_is_one_students_message(tmp_path: Path, exercises: list[Exercise]) -> None:
    root = tmp_path / "class"
    put(root / "ann.zip", b"PK\3\4 not really")
    put(root / "bob.zip", zipped({FILE: b"b"}))
    put(root / "eve.tar.gz", b"\x1f\x8b" + os.urandom(100))
    found, _ = rows(root, exercises)
    assert found["bob"] == "b"
    for name in ("ann", "eve"):
        assert found[name].startswith("Expected an archive that can be unpacked, but ")


def test_a_broken_class_archive_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(PtqlabError, match="Expected an archive that can be unpacked, but class.zip can't be read"):
        with opened(put(tmp_path / "class.zip", b"nothing")):
            pass


def test_a_file_beside_an_archive_counts_and_is_mentioned(tmp_path: Path, exercises: list[Exercise]) -> None:
    put(tmp_path / "class" / "ann" / FILE, b"a")
    put(tmp_path / "class" / "ann" / "old.zip", zipped({FILE: b"old"}))
    with opened(tmp_path / "class") as view:
        intake = find_submissions(view.root, exercises)
    assert [row.path and row.path.name for row in intake.rows] == [FILE]
    assert intake.fates[1] == Fate(f"ann/old.zip/{FILE}", "ann", SLUG, "ignored", "lies in an archive beside it")


def test_an_archive_that_is_called_like_a_folder_is_nobodys(tmp_path: Path, exercises: list[Exercise]) -> None:
    """Somebody else may have called it so: the folder's own file counts."""
    put(tmp_path / "class" / "ann" / "hw" / FILE, b"def f(): return 1")
    put(tmp_path / "class" / "ann.zip", zipped({FILE: b"def f(): return 2"}))
    put(tmp_path / "class" / "bob" / FILE, b"b")
    with opened(tmp_path / "class") as view:
        intake = find_submissions(view.root, exercises)
        assert [row.path and row.path.read_text() for row in intake.rows] == ["def f(): return 1", "b"]
    assert [(fate.path, fate.what) for fate in intake.undecided] == [(f"ann.zip/{FILE}", "nobody's")]


def test_what_did_not_come_out_is_no_rival_of_what_did(tmp_path: Path, exercises: list[Exercise]) -> None:
    put(tmp_path / "class.zip", zipped({f"ann/{FILE}": b"a", f"ann/old/{FILE}": b"0" * 100, f"bob/{FILE}": b"b"}))
    data = bytearray((tmp_path / "class.zip").read_bytes())
    at = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[at + 16] ^= 1  # the second file's checksum
    put(tmp_path / "class.zip", bytes(data))
    assert rows(tmp_path / "class.zip", exercises) == ({"ann": "a", "bob": "b"}, [])


# --- names --------------------------------------------------------------------------------------------------------


def unmarked(files: Mapping[bytes, bytes]) -> bytes:
    """A zip as Windows's Explorer writes it: names in the encoding of its user, and no word of which one that is."""
    stand_ins = {chr(ord("a") + number) * len(name): name for number, name in enumerate(files)}
    data = zipped(dict(zip(stand_ins, files.values(), strict=True)), zipfile.ZIP_STORED)
    for stand_in, name in stand_ins.items():
        data = data.replace(stand_in.encode(), name)
    return data


@pytest.mark.parametrize(
    ("encoding", "students"),
    [
        ("cp950", ["王小明", "許功蓋", "陳怡君"]),  # the second is full of 0x5C, a backslash in ASCII
        ("cp932", ["田中太郎", "鈴木さくら"]),
        ("utf-8", ["José Núñez", "王小明"]),
        ("cp437", ["Jürgen Müller", "Zoë"]),
    ],
)
def test_names_that_are_not_called_utf8_are_read_together_in_one_encoding(
    encoding: str, students: list[str], tmp_path: Path, exercises: list[Exercise]
) -> None:
    """Which one was a guess, and is said."""
    data = unmarked({f"{name}/{FILE}".encode(encoding): name.encode() for name in students})
    found, notes = rows(put(tmp_path / "class.zip", data), exercises)
    assert found == {name: name for name in students}
    guessed = encoding in ("cp950", "cp932")
    assert notes == ([f"The names in class.zip were read as {encoding}."] if guessed else [])


def test_who_knows_the_encoding_of_names_may_say_it(tmp_path: Path, exercises: list[Exercise]) -> None:
    """One that does not fit is one clear sentence."""
    path = put(tmp_path / "class.zip", unmarked({f"李小龙/{FILE}".encode("gbk"): b"a = 1"}))
    with opened(path, "gbk") as view:
        assert [entry.name for entry in view.root.iterdir()] == ["李小龙"]
        assert view.notes == ["The names in class.zip were read as gbk."]
    with pytest.raises(PtqlabError, match="class.zip holds names that are not utf-8; try another --names-in"):
        with opened(path, "utf-8"):
            pass


def test_a_backslash_separates_folders_where_nothing_else_does(tmp_path: Path, exercises: list[Exercise]) -> None:
    data = unmarked({f"lab1\\{FILE}".encode(): b"a = 1"})
    put(tmp_path / "class" / "ann" / "lab1.zip", data)
    assert rows(tmp_path / "class", exercises) == ({"ann": "a = 1"}, [])


def test_a_name_from_a_mac_is_the_name_that_everybody_else_writes(tmp_path: Path, exercises: list[Exercise]) -> None:
    decomposed = unicodedata.normalize("NFD", "José 이서준")
    found, _ = rows(put(tmp_path / "class.zip", zipped({f"{decomposed}/{FILE}": b"a"})), exercises)
    assert found == {"José 이서준": "a"}


# --- lies in a header ---------------------------------------------------------------------------------------------

SMALL = Caps(entries=3, file_bytes=1000, all_bytes=1500, cpu_s=10)


def tarred(*members: tuple[str, bytes, bytes, bytes], end: bytes = bytes(1024)) -> bytes:
    """Members of (name, type, size field, content), each header with a right checksum."""
    data = b""
    for name, kind, size, content in members:
        header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
        header[124:136], header[156:157] = size or b"%011o\0" % len(content), kind
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        data += bytes(header) + content + bytes(-len(content) % 512)
    return data + end


def lzma_entry() -> bytes:
    """A stored entry whose method was changed to LZMA, whose reader raises an error of its own."""
    data = bytearray(zipped({"a.py": b"\x09\x04\x05\x00\xff" + bytes(40)}, zipfile.ZIP_STORED))
    for at in (8, data.index(b"PK\1\2") + 10):
        data[at] = 14
    return bytes(data)


LIES = {  # what it is -> the archive, and what is said of it as a whole or of one file
    "an LZMA entry of a zip that is none": (lzma_entry(), "a.py can't be read (LZMAError)."),
    "more folders than entries may be": (
        tarred(*[(f"d{n}/", b"5", b"", b"") for n in range(4)]),
        "Expected an archive that can be unpacked, but x.tar holds more than 3 entries.",
    ),
    "a header that claims to be 8 GB long": (
        tarred(("a.py", b"x", b"77777777777\0", b"")),
        "x.tar needs more than 1 GB of memory to be read, as no honest file does: it is not graded.",
    ),
    "a name that claims to be 8 GB long": (
        tarred(("a.py", b"L", b"77777777777\0", b"")),
        "x.tar needs more than 1 GB of memory to be read, as no honest file does: it is not graded.",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_in_a_header_is_one_sentence(name: str, tmp_path: Path) -> None:
    data, said = LIES[name]
    path = put(tmp_path / ("x.zip" if "zip" in name else "x.tar"), data)
    problem, files, notes = unpacked(path, tmp_path / "out", SMALL)
    assert ([problem or notes[0]], files) == ([said], [])


def test_an_archive_that_takes_all_memory_is_its_students_sentence(tmp_path: Path, exercises: list[Exercise]) -> None:
    """Its table of contents alone is more than a reader may hold; another student's archive is opened."""
    contents = 2 << 30  # bytes, of a file that is mostly a hole
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, contents, 0)
    end += struct.pack("<4sIQI", b"PK\6\7", 0, contents, 1)
    end += struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (tmp_path / "class").mkdir()
    with (tmp_path / "class" / "ann.zip").open("wb") as file:
        file.truncate(contents)
        file.seek(contents)
        file.write(end)
    put(tmp_path / "class" / "bob.zip", zipped({FILE: b"b"}))
    found, _ = rows(tmp_path / "class", exercises)
    assert found["ann"].startswith("ann.zip needs more than 1 GB of memory to be read")
    assert found["bob"] == "b"


# --- any bytes ----------------------------------------------------------------------------------------------------

SEEDS = (zipped({f"ann/{FILE}": b"a" * 50, "b.ipynb": b"{}"}), zipped({}))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
@example(SEEDS[0], [(0, 0)])
def test_a_damaged_archive_is_refused_or_unpacked_into_its_folder(seed: bytes, damage: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for at, value in damage:
        data[at % len(data)] = value
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out"
        out.mkdir()
        for suffix in (".zip", ".tar"):
            path = put(folder / f"x{suffix}", bytes(data))
            assert archives.unpack(path, out, CLASS, Unpacked(out)).fault == ""
        assert {path.name for path in folder.iterdir()} == {"x.zip", "x.tar", "out"}
        assert all(path.is_file() or path.is_dir() for path in out.rglob("*"))
        assert not any(path.is_symlink() for path in out.rglob("*"))
