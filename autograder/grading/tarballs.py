"""The members of a tar, compressed or not, without believing what its headers claim of their own length."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

_LONGEST_HEADER = 1 << 20  # bytes; of one member: names, attributes, a map of holes


class RefusedEntryError(Exception):
    """An archive, or an entry of it, that is not unpacked; the text says why."""


def members(archive: Path, most: int) -> Iterator[tuple[tarfile.TarInfo, Callable[[], IO[bytes]]]]:
    """Each member and a way to its bytes; of these all together, read or passed by, there are at most `most`."""
    with _decompressed(archive) as file:
        tape = _Tape(file, most)
        with tarfile.open(fileobj=tape, mode="r:") as bundle:  # type: ignore[call-overload]
            while member := tape.next_of(bundle):
                yield member, partial(_stream, bundle, member)


def _stream(bundle: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = bundle.extractfile(member)
    if stream is None:
        raise RefusedEntryError("holds an entry without content")
    return stream


def _decompressed(archive: Path) -> IO[bytes]:
    """A tar's own bytes, by what the file begins with."""
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.open(archive)
    return lzma.open(archive) if start == b"\xfd7zXZ\0" else archive.open("rb")


class _Tape:
    """A tar's bytes as tarfile reads them, within caps: it believes what a header claims of its own length.

    `most` bytes may be passed by, read or not: a compressed tar of a kilobyte can hold gigabytes.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most, self._left = file, most + _LONGEST_HEADER, _LONGEST_HEADER
        self.tell = file.tell

    def next_of(self, bundle: tarfile.TarFile) -> tarfile.TarInfo | None:
        """The next member; its headers may be `_LONGEST_HEADER` long."""
        self._left = _LONGEST_HEADER
        member = bundle.next()
        self._left = self._most
        return member

    def read(self, size: int) -> bytes:
        """At most `size` bytes; RefusedEntryError before memory is taken for what is too long."""
        if not 0 <= size <= self._left:
            raise RefusedEntryError("has an entry whose headers are too long")
        self._left -= size
        return self._file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to where the next header is claimed to be."""
        if not 0 <= position <= self._most:
            raise RefusedEntryError(f"unpacks to more than {self._most >> 20} MB")
        return self._file.seek(position, whence)
