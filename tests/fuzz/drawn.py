"""Choices out of bytes: what a fuzzer changes in the bytes, changes in the input that is built from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Drawn:
    """Takes choices from the front of `data`; when it is used up, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        """0 to 255."""
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def below(self, count: int) -> int:
        """0 to `count` - 1, for a count of at most 256."""
        return self.byte() % count

    def pick(self, choices: Sequence[T]) -> T:
        """One of at most 256 choices."""
        return choices[self.below(len(choices))]

    def take(self, most: int) -> bytes:
        """Up to `most` bytes as they are."""
        count = self.below(most + 1)
        self.at += count
        return self.data[self.at - count : self.at]

    def rest(self) -> bytes:
        """All that is left."""
        found = self.data[self.at :]
        self.at = len(self.data)
        return found

    def number(self, size: int) -> int:
        """A signed number of `size` bytes."""
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little", signed=True)

    def text(self, most: int) -> str:
        """Text, odd characters and lone surrogates included."""
        return self.take(most).decode("utf-8", "surrogateescape")

    def damage(self, data: bytes) -> bytes:
        """`data` with up to three bytes changed, or as it is; or cut, or with more behind it."""
        changed = bytearray(data)
        kind = self.below(8)
        if kind == 7 and data:
            del changed[self.number(2) % len(data) :]
        if kind == 6:
            changed += self.take(16)
        for _ in range(kind if 0 < kind <= 3 and data else 0):
            changed[self.number(2) % len(data)] = self.byte()
        return bytes(changed)
