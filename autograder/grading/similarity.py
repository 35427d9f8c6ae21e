"""Near-identical code in a class: the normal forms of submissions, compared by RapidFuzz.

The measure is the Indel similarity of token sequences. What was handed out to everybody does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NEAR_IDENTICAL = 0.9  # of the tokens stand in both, in the same order
LEAST_TOKENS = 150  # two short answers are alike because they are short
Codes = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Group:
    """Submissions that near-identical pairs join. `similarity`: the least of those pairs, 0 to 1."""

    members: tuple[str, ...]
    similarity: float


def groups(fingerprints: Mapping[str, str], least: float = NEAR_IDENTICAL) -> tuple[Group, ...]:
    """Those whose fingerprints are alike to at least `least`, the most alike first."""
    from rapidfuzz.distance import Indel  # noqa: PLC0415 - only an instructor's machine needs it

    same: dict[str, list[str]] = {}  # fingerprint -> its owners: identical ones are compared once
    for owner, text in fingerprints.items():
        if len(text) >= LEAST_TOKENS:
            same.setdefault(text, []).append(owner)
    texts = sorted(same, key=len)
    joined = _Joined(len(texts))
    for one, other in _candidates(texts, least):
        if joined.root(one) != joined.root(other):
            alike = Indel.normalized_similarity(texts[one], texts[other], score_cutoff=least)
            if alike >= least:
                joined.join(one, other, alike)
    found = [
        Group(tuple(sorted(owner for at in members for owner in same[texts[at]])), joined.weakest[root])
        for root, members in joined.members().items()
    ]
    return tuple(
        sorted((g for g in found if len(g.members) > 1), key=lambda g: (-g.similarity, -len(g.members), g.members))
    )


class _Joined:
    """Which texts belong together so far, and the least similarity that joined each group."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self.weakest = [1.0] * count

    def root(self, at: int) -> int:
        while self._above[at] != at:
            self._above[at] = at = self._above[self._above[at]]
        return at

    def join(self, one: int, other: int, similarity: float) -> None:
        kept, gone = self.root(one), self.root(other)
        self._above[gone] = kept
        self.weakest[kept] = min(self.weakest[kept], self.weakest[gone], similarity)

    def members(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for at in range(len(self._above)):
            found.setdefault(self.root(at), []).append(at)
        return found


def _candidates(texts: Sequence[str], least: float) -> Iterator[tuple[int, int]]:
    """The pairs that can be alike at all; `texts` by ascending length. Nothing that is alike is missed:

    similarity is 1 − distance / (both lengths), and inserting or deleting one token changes the length by 1, one count
    of single tokens, and at most three counts of neighbouring pairs.
    """
    if len(texts) < 2:
        return
    lengths = np.array([len(text) for text in texts])
    codes = [np.frombuffer(text.encode("latin-1"), dtype=np.uint8).astype(np.int32) for text in texts]
    singles = _counts(codes, 128)
    pairs = _counts([31 * code[:-1] + code[1:] for code in codes], 1024)
    for one in range(len(texts) - 1):
        reach = int(np.searchsorted(lengths, lengths[one] * (2 - least) / least, side="right"))
        near = np.arange(one + 1, max(reach, one + 1))
        for counts, changed in ((singles, 1), (pairs, 3)):
            distance = np.abs(counts[near] - counts[one]).sum(axis=1, dtype=np.int64) / changed
            near = near[distance <= (1 - least) * (lengths[near] + lengths[one]) + 1e-9]
        for other in near:
            yield one, int(other)


def _counts(codes: Sequence[Codes], buckets: int) -> Counts:
    """How often each code comes, int16 [text, bucket]; codes that share a bucket only loosen the bound."""
    return np.stack([np.bincount(code % buckets, minlength=buckets) for code in codes]).astype(np.int16)
