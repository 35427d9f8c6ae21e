"""An archive -> its files end to end in one file, and where each lies; runs in the reader's bounded child.

Names are text here and never paths: whoever places a member decides what its name means.
"""

from __future__ import annotations

import errno
import re
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, TypeAlias

import msgspec

from autograder.submission.notebook import plain, short
from autograder.submission.reader import Send
from autograder.submission.record import LONGEST_NAME, Encoding, Member, Refused

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
CODE = (".ipynb", ".py")
DEPTH = 12  # folders above a file
_TEXTS = (".txt", ".json", ".yml", ".html")  # what they hold may tell what they are
_MOST_TEXT, _MOST_OTHER = 1_100_000, 4096  # bytes that are unpacked of a text and of anything else
_PROGRAMS = ("__MACOSX", "__pycache__", "site-packages", "node_modules", "venv")  # folders of nobody's answers
_CHUNK = 1 << 20
ENCODINGS = ("cp950", "cp932", "gbk", "cp949")  # of names that a zip does not call UTF-8, the likeliest first
_WORD = re.compile(r"[^\x00-\x7f]{2}")  # in a name of an Asian script; accents stand alone between ASCII letters
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_Content: TypeAlias = Callable[[], IO[bytes]]
_Entry: TypeAlias = tuple[str, _Content | None]  # a name, and a way to the bytes; None for a link or a device


class Caps(msgspec.Struct, frozen=True):
    """How much may come out of one archive, and the CPU seconds that it may take.

    `names_in`: the encoding of names that a zip does not call UTF-8, where somebody has said it.
    """

    entries: int
    file_bytes: int
    all_bytes: int
    cpu_s: int
    names_in: str = ""


class _RefusedError(Exception):
    """Why a member, or an archive as a whole, is not unpacked."""


def is_archive(name: str) -> bool:
    """Return whether a file is called like an archive that is unpacked."""
    return name.lower().endswith(ARCHIVES)


def without_suffix(name: str) -> str:
    """Return an archive's name without its suffix, and any other name as it is."""
    suffix = max((suffix for suffix in ARCHIVES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(suffix)]


def is_code(name: str) -> bool:
    """Return whether a file is called like a notebook or a script; browsers add suffixes, and some files have none."""
    lower = name.lower()
    return lower.endswith(CODE) or ".ipynb." in lower or "." not in lower


def start_of(name: str) -> int | None:
    """Return how many bytes of a file tell what it is; None for one that is read whole."""
    if is_code(name) or is_archive(name):
        return None
    return _MOST_TEXT if name.lower().endswith(_TEXTS) else _MOST_OTHER


def is_hidden(name: str) -> bool:
    """Return whether a file or a folder is hidden, or one that programs make and no student."""
    return (name.startswith(".") and name not in (".", "..")) or name in _PROGRAMS


def unpack(name: str, file: IO[bytes], store: IO[bytes], caps: Caps, send: Send) -> None:
    """Write an archive's files into `store`, and send where each lies.

    Notebooks, scripts and archives come out whole; of others there comes as much as tells what they are. Hidden files
    and those of programs don't.
    """
    at = 0
    try:
        entries = _zip_entries(file, send, caps.names_in) if name.lower().endswith(".zip") else _tar_entries(file)
        for number, (entry, content) in enumerate(entries):
            if number >= caps.entries:
                raise _RefusedError(f"holds more than {caps.entries} entries")
            if not entry.endswith("/") and not any(map(is_hidden, re.split(r"[/\\]", entry))):
                member = _member(entry, content, store, at, caps)
                at += member.size
                if at > caps.all_bytes:
                    raise _RefusedError(f"unpacks to more than {caps.all_bytes >> 20} MB")
                send(member)
    except MemoryError:
        raise
    except Exception as error:
        send(Refused(short(f"Expected an archive that can be unpacked, but {name} {_reason(error)}.")))


def _member(name: str, content: _Content | None, store: IO[bytes], start: int, caps: Caps) -> Member:
    """Write one file at `start`; one that can't be unpacked costs only itself."""
    shown = plain(name, LONGEST_NAME)
    try:
        if len(name) > LONGEST_NAME:
            raise _RefusedError("lies too deep, or has too long a name")
        if content is None:
            raise _RefusedError("is a link or a device, which is not unpacked; hand in the file itself")
        store.seek(start)
        size, most = 0, min(start_of(name.rpartition("/")[2]) or caps.file_bytes + 1, caps.file_bytes + 1)
        with content() as stream:
            while chunk := stream.read(min(_CHUNK, most - size)):
                size += len(chunk)
                if size > caps.file_bytes:
                    limit = f"{caps.file_bytes >> 20} MB"
                    raise _RefusedError(f"is larger than {limit}; clear the outputs and hand it in anew")
                if start + size <= caps.all_bytes:
                    store.write(chunk)
        store.flush()
    except Exception as error:
        return Member(shown, why=_reason(error))
    return Member(shown, start, size)


def _reason(error: Exception) -> str:
    """The end of a sentence. Whatever hostile bytes make the standard library's readers say, it is one thing to us."""
    if isinstance(error, OSError) and error.errno in _DISK:
        raise error  # the machine's fault
    return str(error) if isinstance(error, _RefusedError) else f"can't be read ({type(error).__name__})"


def _zip_entries(file: IO[bytes], send: Send, names_in: str = "") -> Iterator[_Entry]:
    packed = zipfile.ZipFile(file)
    infos = packed.infolist()
    for info, name in zip(infos, _names(infos, send, names_in), strict=True):
        is_plain = info.external_attr >> 16 & 0o170000 in (0, 0o100000)  # many archives give no mode at all
        content = _locked if info.flag_bits & 1 else partial(packed.open, info)
        yield name, content if is_plain and not info.is_dir() else None


def _locked() -> IO[bytes]:
    raise _RefusedError("is encrypted; hand in an archive without a password")


def _tar_entries(file: IO[bytes]) -> Iterator[_Entry]:
    bundle = tarfile.open(fileobj=file, mode="r:*")  # noqa: SIM115 - ends with the child
    for member in bundle:
        name = f"{member.name}/" if member.isdir() else member.name
        yield _composed(name), partial(_stream, bundle, member) if member.isreg() else None


def _stream(bundle: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = bundle.extractfile(member)
    assert stream is not None  # it is a file
    return stream


# --- names --------------------------------------------------------------------------------------------------------


def _names(infos: Sequence[zipfile.ZipInfo], send: Send, names_in: str = "") -> list[str]:
    r"""The names in a zip. Those that are not called UTF-8 are in one encoding, which fits all of them together.

    `names_in` says which, if somebody knows. zipfile reads these as cp437, which loses nothing. Where no name has a
    "/", a "\" separates folders.
    """
    unmarked = [info for info in infos if not info.flag_bits & 0x800 and info.filename == info.orig_filename]
    raw = {id(info): info.orig_filename.encode("cp437", "replace") for info in unmarked}
    foreign = [name for name in raw.values() if not name.isascii()]
    if foreign and names_in and not all(_decoded(name, names_in) for name in foreign):
        raise _RefusedError(f"holds names that are not {names_in}; try another --names-in")
    encoding = names_in if foreign and names_in else _encoding(foreign)
    if encoding:
        send(Encoding(encoding))
    names = [raw[id(info)].decode(encoding) if encoding and id(info) in raw else info.filename for info in infos]
    if not any("/" in name for name in names):
        names = [name.replace("\\", "/") for name in names]
    return [_composed(name) for name in names]


def _encoding(names: Sequence[bytes]) -> str:
    """The encoding that fits these names; empty where none is needed, or none fits and cp437 stays."""
    if not names:
        return ""
    if all(_decoded(name, "utf-8") for name in names):
        return "utf-8"
    for encoding in ENCODINGS:
        texts = [_decoded(name, encoding) for name in names]
        if all(texts) and any(map(_WORD.search, texts)):
            return encoding
    return ""


def _decoded(name: bytes, encoding: str) -> str:
    """The text of a name; empty where it is none in this encoding."""
    try:
        text = name.decode(encoding)
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _composed(name: str) -> str:
    """A name with accents and syllables in one character each, as Linux and Windows write them and macOS does not."""
    return unicodedata.normalize("NFC", name)
