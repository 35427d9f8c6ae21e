"""What a machine's grading processes tell each other: one file to which each appends, and which each reads on.

It has no name, is nobody's else, and a worker has no descriptor of it. A record is there whole or not at all: behind
one
that is torn, because somebody was killed while writing it or the disk was full, nothing is read any more.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import secrets
import struct
import tempfile
from collections.abc import Iterator
from typing import IO, Any

MOST_BYTES = 128 << 20  # told in all; after that each keeps to itself what it finds out
_HEAD = struct.Struct("<8sQ32s")  # who tells it, how many bytes, and their sha256


def new_file() -> IO[bytes]:
    """An empty file for a group of processes."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever starts the processes closes it
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_RDWR | os.O_APPEND)
    return file


class Shared:
    """One process's end of such a file."""

    def __init__(self, descriptor: int) -> None:
        self._file, self._name = descriptor, secrets.token_bytes(8)
        self._at = 0
        self._torn = False

    def tell(self, record: object) -> None:
        """Append a record for the others, if there is room."""
        data = pickle.dumps(record)
        head = _HEAD.pack(self._name, len(data), hashlib.sha256(data).digest())
        if not self._torn and os.fstat(self._file).st_size + len(data) <= MOST_BYTES:
            try:
                self._torn = os.write(self._file, head + data) < len(head) + len(data)
            except OSError:
                self._torn = True

    def news(self) -> Iterator[Any]:
        """What the others have told since the last time."""
        while not self._torn and len(head := os.pread(self._file, _HEAD.size, self._at)) == _HEAD.size:
            name, size, digest = _HEAD.unpack(head)
            if name != self._name:
                data = os.pread(self._file, min(size, MOST_BYTES), self._at + _HEAD.size)
                if hashlib.sha256(data).digest() != digest:
                    self._torn = True
                    return
                yield pickle.loads(data)
            self._at += _HEAD.size + size


_SHARED: list[Shared] = []


def use(descriptor: int) -> None:
    """From now on this process tells the others what it finds out."""
    _SHARED[:] = [Shared(descriptor)]


def shared() -> Shared | None:
    """This process's end; None where it grades alone."""
    return _SHARED[0] if _SHARED else None
