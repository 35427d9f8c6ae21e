"""Archives as a learning platform, or someone who means harm, may hand them out: opened as the grader opens them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import tempfile
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from bounds import Bounds, Broken
from drawn import Drawn

from autograder.grading import archives
from autograder.grading.intake import find_submissions
from autograder.records import Exercise, Limits, PtqlabError, Task
from autograder.sandbox import reading, unpacking
from autograder.sandbox.unpacking import Caps, is_hidden
from autograder.submission import recognition
from autograder.submission.record import Record, decode, encode

SLUG = "01_x"
FILE = f"{SLUG}.py"
CLASS = Caps(entries=24, file_bytes=4096, all_bytes=16384, cpu_s=10)  # small, so that they are reached
STUDENT = Caps(entries=8, file_bytes=2048, all_bytes=4096, cpu_s=10)
LAB = Exercise(SLUG, {}, (Task("1.1", {}, ("f",), 1.0, {}),), Limits(), Path("nowhere"))
WORK = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
PARTS = (
    FILE,
    "ann",
    "bob",
    "x.py",
    "x.py.zip",
    "ann.zip",
    "a.zip.zip",
    "a.tar.gz",
    FILE.upper(),
    "x.png",
    "..",
    ".",
    "",
    ".git",
    "__MACOSX",
    "C:",
    "a\\b",
    "x\x00y",
    "x\ny.py",
    "é.py",
    "e\u0301.py",
    "a" * 250 + ".py",
    "a" * 300 + ".py",
    "Ann Lee_12_assignsubmission_file_",
    "ann_12_34_01_x-1.py",
    "ann_LATE_12_34_01_x.py",
    ".py",
    ".zip",
    "a.ipynb",
    "ann.py",
    "\u202e.py",
    "con.py",
    "\udcff.py",
    "-x.py",
)
SUFFIXES = (".zip", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".ZIP")
MODES = (0o100644, 0, 0o120777, 0o10644, 0o20644, 0o40755, 0o140000, 0o104755)
SIZES = (0, 1, 100, 2048, 2049, 4097, 2**31, 2**32 - 1, 2**63)
TYPES = (b"0", b"0", b"0", b"\x00", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"L", b"K", b"x", b"g", b"S", b"V", b"D")


def one(data: bytes) -> None:
    """Unpack one archive made of `data`, or open it as a class's or a student's: files in a folder, or a sentence."""
    drawn = Drawn(data)
    place = drawn.below(16)
    name, content = _archive(drawn, 0)
    with Bounds(), _small():
        if place < 13:
            _unpacked(name, content, CLASS if place % 2 else STUDENT)
        else:
            _graded(place - 13, name, content)


@contextlib.contextmanager
def _small() -> Iterator[None]:
    before = archives.CLASS, archives.STUDENT, archives.NESTED, tempfile.tempdir, reading.unpack, reading.look
    archives.CLASS, archives.STUDENT, archives.NESTED, tempfile.tempdir = CLASS, STUDENT, STUDENT, WORK.name
    reading.unpack, reading.look = _unpack, _look
    try:
        yield
    finally:
        archives.CLASS, archives.STUDENT, archives.NESTED, tempfile.tempdir, reading.unpack, reading.look = before


def _unpack(archive: Path, caps: Caps, store: IO[bytes]) -> Record:
    """The reader's part in this process."""
    record = Record(name=archive.name)
    try:
        with archive.open("rb") as file:
            unpacking.unpack(archive.name, file, store, caps, lambda frame: record.add(decode(encode(frame))))
    except MemoryError:
        record.problem = f"{archive.name} needs more memory than a child has."
    return record


def _look(path: Path, exercises: Sequence[Exercise]) -> Record:
    return Record(name=path.name, look=recognition.look(path.name, path.read_bytes(), [])[0])


def clear() -> None:
    """Take away what a broken reader has left."""
    for name in os.listdir(WORK.name):
        path = os.path.join(WORK.name, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def _unpacked(name: str, content: bytes, caps: Caps) -> None:
    """The part that nearly everything hangs on, by itself: it is ten times as fast."""
    path, out = f"{WORK.name}/work{name}", f"{WORK.name}/out"
    with open(path, "wb") as file:
        file.write(content)
    os.mkdir(out)
    view = archives.Unpacked(Path(out))
    try:
        record = archives.unpack(Path(path), view.root, caps, view)
        if record.problem:
            _is_text(record.problem)
    finally:
        if os.listdir(out) or view.notes or view.refused:
            _check(view, caps.entries, caps.file_bytes, caps.all_bytes)
        shutil.rmtree(out) if os.listdir(out) else os.rmdir(out)
        os.unlink(path)
        if os.listdir(WORK.name):
            raise Broken(f"something was written outside of the folder: {os.listdir(WORK.name)}")


def _graded(place: int, name: str, content: bytes) -> None:
    """All that grading does with it."""
    folder = Path(WORK.name) / "class folder"
    folder.mkdir()
    try:
        root = _laid_out(folder, place, name, content)
        before = _listing(WORK.name)
        _open(root, neighbour=place > 0)
        if _listing(WORK.name) != before:
            raise Broken("something was written outside of the folder, or is left of it")
    finally:
        shutil.rmtree(folder)


def _laid_out(folder: Path, place: int, name: str, content: bytes) -> Path:
    """The class's archive; or a student's, `<student>.zip` or in the student's folder, beside another student."""
    root = folder / "class"
    path = (folder / f"class{name}", root / f"ann{name}", root / "ann" / f"work{name}")[place]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if place:
        (root / "zoe").mkdir()
        (root / "zoe" / FILE).write_text("zoe = 1")
    return root if place else path


def _open(root: Path, neighbour: bool) -> None:
    try:
        with archives.opened(root) as view:
            if root not in (view.root, *view.root.parents):  # a folder without an archive stays where it is
                nested = 1 + archives.MOST_NESTED
                most = CLASS.entries * STUDENT.entries * nested
                _check(view, most, CLASS.file_bytes, CLASS.all_bytes + CLASS.entries * STUDENT.all_bytes * nested)
            rows = find_submissions(view.root, [LAB], refused=view.refused).rows
            for text in (row.problem for row in rows if row.path is None):
                _is_text(text)
            honest = [row.path for row in rows if row.student == "zoe" and row.path]
            if neighbour and [path.read_text() for path in honest] != ["zoe = 1"]:
                raise Broken("another student's file is gone or changed")
    except PtqlabError as error:
        if neighbour:
            raise Broken(f"one student's archive stops the class: {error}") from error
        _is_text(str(error))


def _check(view: archives.Unpacked, most: int, file_bytes: int, all_bytes: int) -> None:
    """What holds of every folder that came out of an archive."""
    if WORK.name not in map(str, view.root.parents):
        raise Broken(f"the folder lies somewhere else: {view.root}")
    files = []
    for above, folders, names in os.walk(view.root):
        entries = [os.path.join(above, name) for name in (*folders, *names)]
        if any(map(os.path.islink, entries)) or not all(map(os.path.isfile, entries[len(folders) :])):
            raise Broken(f"a link or no file: {entries}")
        files += entries[len(folders) :]
    sizes = [os.path.getsize(path) for path in files]
    if max(sizes, default=0) > file_bytes or sum(sizes) > all_bytes or len(files) > most:
        raise Broken(f"more came out than the caps allow: {sizes}")
    if odd := [path for path in files if any(map(is_hidden, os.path.relpath(path, view.root).split("/")))]:
        raise Broken(f"what nobody needs was unpacked: {odd}")
    for sentence in (*view.notes, *(entry.problem for entry in view.refused)):
        _is_text(sentence)


def _is_text(text: str) -> None:
    odd = any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)
    if odd or len(text) > 1_000 or not text.endswith("."):
        raise Broken(f"no sentence to show: {text!r:.300}")


def _listing(folder: str) -> list[str]:
    return sorted(os.path.join(above, name) for above, folders, names in os.walk(folder) for name in (*folders, *names))


def _archive(drawn: Drawn, depth: int) -> tuple[str, bytes]:
    """A suffix and an archive: bytes as they come, or built with lies in its fields, and perhaps damaged."""
    suffix = drawn.pick(SUFFIXES)
    kind = drawn.below(4)
    if kind == 0:
        return suffix, drawn.take(255) if depth else drawn.rest()
    if suffix.lower() == ".zip":
        content = _zip(drawn, depth)
    else:
        content = b"".join(_member(drawn, depth) for _ in range(drawn.below(6))) + bytes(drawn.pick((1024, 0, 512)))
        content = drawn.damage(content) if kind == 2 else content
        pack = {".tar.gz": _gzip, ".tgz": _gzip, ".tar.bz2": _bz2, ".tar.xz": _xz}.get(suffix, bytes)
        content = pack(content)
    return suffix, drawn.damage(content) if kind == 3 else content


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _xz(data: bytes) -> bytes:
    return lzma.compress(data, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}])  # quick


def _bz2(data: bytes) -> bytes:
    return bz2.compress(data, 1)


def _name(drawn: Drawn) -> str:
    parts = [drawn.pick(PARTS) for _ in range(drawn.pick((1, 2, 2, 3, 12)))]
    return ("/" if drawn.below(16) == 1 else "") + "/".join(parts) if drawn.below(8) != 1 else drawn.text(12)


def _content(drawn: Drawn, depth: int) -> bytes:
    match drawn.below(8):
        case 0:
            return b"0" * drawn.pick((2048, 2049, 4096, 4097, 16384))
        case 1:
            return drawn.take(40)
        case 2 if depth < 2:
            return _archive(drawn, depth + 1)[1]
    return b"f = 1\n"


def _zip(drawn: Drawn, depth: int) -> bytes:
    """Entries, their directory and its end, each with a chance of a field that lies."""
    data, directory = io.BytesIO(), b""
    count = drawn.below(6)
    for _ in range(count):
        directory += _entry(drawn, depth, data)
    start = data.tell()
    told = drawn.pick((count, count, count, 0, 65535))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, told, told, len(directory), drawn.pick((start, start, 0, 2**31)), 0)
    return data.getvalue() + directory + end


def _entry(drawn: Drawn, depth: int, data: io.BytesIO) -> bytes:
    name = _name(drawn).encode("utf-8", "surrogateescape")
    content = _content(drawn, depth)
    method = drawn.pick((0, 8, 8, 12, 14, 99))
    packed = _packed(content, method)
    lies = drawn.below(8)
    size = drawn.pick(SIZES[:8]) if lies == 1 else len(content)
    crc = 1 if lies == 2 else zlib.crc32(content)
    flags = drawn.pick((0x800, 0x800, 0, 1, 8, 0x41))
    extra = drawn.take(24) if lies == 3 else b""
    at = data.tell()
    common = struct.pack("<HHHHHLLLHH", 20, flags, method, 0, 33, crc, len(packed), size, len(name), len(extra))
    data.write(b"PK\3\4" + common + name + extra + packed)
    mode = drawn.pick(MODES) << 16
    start = drawn.pick((at, at, at, 0, 2**32 - 1)) if lies == 4 else at
    return b"PK\1\2" + struct.pack("<H", 788) + common + struct.pack("<HHHLL", 0, 0, 0, mode, start) + name + extra


def _packed(content: bytes, method: int) -> bytes:
    if method == 8:
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return packer.compress(content) + packer.flush()
    return _bz2(content) if method == 12 else content


def _member(drawn: Drawn, depth: int) -> bytes:
    """A header with a right checksum, and its content."""
    info = tarfile.TarInfo(_name(drawn))
    kind = drawn.pick(TYPES)
    content = _pax(drawn) if kind in (b"x", b"g") else _content(drawn, depth)
    info.size, info.mode, info.linkname = len(content), drawn.pick(MODES), drawn.pick(("", "/etc/passwd", "../x", FILE))
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")[-512:])
    header[156:157] = kind
    if drawn.below(8) == 1:
        header[124:136] = drawn.pick(
            (b"00000000000\0", b"77777777777\0", b"\x80" + bytes(7) + b"\1\0\0\0", b"-1\0" * 4, b"\xff" * 12)
        )
    if drawn.below(8) == 1:
        header[345:500] = drawn.take(155).ljust(155, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content.ljust(-(-len(content) // 512) * 512, b"\0")


def _pax(drawn: Drawn) -> bytes:
    records = b""
    for _ in range(drawn.below(4)):
        key = drawn.pick(
            (
                b"path",
                b"size",
                b"linkpath",
                b"hdrcharset",
                b"GNU.sparse.major",
                b"GNU.sparse.map",
                b"GNU.sparse.size",
                b"mtime",
            )
        )
        value = drawn.pick(
            (b"x.py", b"-1", b"99999999999999", b"BINARY", b"1", b"0,5,10,5", b"nan", b"\xff", drawn.take(12))
        )
        body = b" %s=%s\n" % (key, value)
        records += b"%d" % (len(body) + 2) + body
    return records
