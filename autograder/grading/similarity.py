"""Near-identical code in a class: submissions reduced to what renaming and re-spacing cannot hide, then compared.

The comparison itself is RapidFuzz's (Indel similarity of token sequences). What is handed out to everybody does not
count, nor do names, comments, docstrings, annotations, and the order of definitions.
"""

from __future__ import annotations

import ast
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from autograder.submission.cells import parse_script
from autograder.submission.pieces import kept_of_cells, statements_of

NEAR_IDENTICAL = 0.9  # of the tokens stand in both, in the same order
LEAST_TOKENS = 150  # two short answers are alike because they are short
_NAME = "v"  # every name of the student's own
_TEXT = "t"  # every string: messages are free
_LARGE = 100_000  # characters; up to here Python's parser is safe with whatever a student writes (see cells.py)
_EFFORT = 0.1  # to mend one cell of perhaps thousands that a hostile notebook has
_ALPHABET = "".join(map(chr, (*range(0x21, 0x7F), *range(0xA1, 0x100))))  # RapidFuzz is fastest below U+0100
Codes = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int16]
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Group:
    """Submissions that near-identical pairs join. `similarity`: the least of those pairs, 0 to 1."""

    members: tuple[str, ...]
    similarity: float


def fingerprint(cells: Sequence[str], handed_out: frozenset[str] = frozenset()) -> str:
    """The definitions in these code cells as one character a token; "" when nothing of the student's own is there.

    `handed_out`: the definitions, as `definitions` gives them, that everybody has.
    """
    found = {(name, tokens) for name, tokens in definitions(cells) if tokens not in handed_out}
    return "".join(tokens for _, tokens in sorted(found))


def definitions(cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, tokens) of each top-level function and class; what does not parse is left out."""
    nodes = [(cell, node) for cell in cells for node in _definitions_in(cell)]
    names = frozenset(node.name for _, node in nodes)
    for cell in dict.fromkeys(cell for cell, _ in nodes):
        yield from _normal_forms(cell, names)


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


# --- the normal form ----------------------------------------------------------------------------


def _definitions_in(cell: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, ...]:
    return tuple(node for node in _parsed(cell) if isinstance(node, _DEFINITIONS))


@kept_of_cells
def _normal_forms(cell: str, names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """(name, tokens) of each definition in a cell of a submission in which these names are defined."""
    return tuple(
        (node.name, "".join(_character(token) for token in _tokens(node, names))) for node in _definitions_in(cell)
    )


def _parsed(cell: str) -> Sequence[ast.stmt]:
    """A cell's statements; of one with magics or mistakes, those that the grader would keep."""
    try:
        if len(cell) <= _LARGE:
            return statements_of(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return [node for piece in parse_script(cell, _EFFORT)[0] for node in ast.parse(piece.source).body]


def _tokens(definition: ast.stmt, names: frozenset[str]) -> Iterator[str]:
    """The definition's tree from the top down, without what a copyist changes first.

    `names` and those that the definition gives itself (arguments, variables, attributes, inner functions) are as one.
    """
    found: list[tuple[str, str]] = []  # what stands there, and the name that it carries
    own = set(names)
    waiting: list[ast.AST] = [definition]
    while waiting:  # no recursion: it may be deep
        node = waiting.pop()
        kind = type(node)
        if kind is ast.Constant:
            found.append((_TEXT if isinstance(node.value, str) else _written(node.value), ""))  # type: ignore[attr-defined]
            continue
        if kind is ast.JoinedStr:
            found.append((_TEXT, ""))
            continue
        if kind is ast.Expr and type(node.value) is ast.Constant:  # type: ignore[attr-defined]
            continue  # a docstring
        carried = _NAMED_BY.get(kind)
        name = (getattr(node, carried) or "") if carried else ""
        if kind is ast.arg or type(getattr(node, "ctx", None)) is ast.Store:
            own.add(name)
        elif kind in _DEFINITIONS:
            own.add(node.name)  # type: ignore[attr-defined]
        found.append((kind.__name__, name))
        waiting += reversed(_children(node))
    for what, name in found:
        yield what
        if name:
            yield _NAME if name in own else name


def _written(value: object) -> str:
    """The start of a constant; of a number with more digits than Python writes, in hexadecimal."""
    try:
        return repr(value)[:50]
    except ValueError:
        return f"{value:x}"[:50]


_NAMED_BY: dict[type[ast.AST], str] = {  # the name that a node carries itself; that of a definition is its own affair
    ast.Name: "id",
    ast.Attribute: "attr",
    ast.arg: "arg",
    ast.keyword: "arg",
    ast.alias: "name",
}
_LEFT_OUT = frozenset(("annotation", "returns", "ctx", "type_params"))


def _children(node: ast.AST) -> list[ast.AST]:
    found = []
    for field in node._fields:
        if field not in _LEFT_OUT:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST):
                found.append(value)
            elif type(value) is list:
                found += [item for item in value if isinstance(item, ast.AST)]
    return found


@lru_cache(1000)
def _character(token: str) -> str:
    return _ALPHABET[zlib.crc32(token.encode("utf-8", "surrogatepass")) % len(_ALPHABET)]
