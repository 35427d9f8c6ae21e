"""Near-identical code in a class: submissions reduced to what renaming and re-spacing cannot hide, then compared.

The comparison itself is RapidFuzz's (Indel similarity of token sequences). What is handed out to everybody does not
count, nor do names, comments, docstrings, annotations, and the order of definitions.
"""

from __future__ import annotations

import ast
import io
import tokenize
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autograder.cells import parse_script

NEAR_IDENTICAL = 0.9  # of the tokens stand in both, in the same order
LEAST_TOKENS = 150  # two short answers are alike because they are short
_BUCKETS = 128
_NAME = "v"  # every name of the student's own
_TEXT = "t"  # every string: messages are free
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
    nodes = [node for cell in cells for piece in parse_script(cell)[0] for node in _parsed(piece.source)]
    kept = [node for node in nodes if isinstance(node, _DEFINITIONS)]
    names = frozenset(node.name for node in kept)
    for node in kept:
        yield node.name, _tokens(node, names)


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
    return tuple(sorted((g for g in found if len(g.members) > 1), key=lambda g: (-g.similarity, -len(g.members), g.members)))


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
    """The pairs that can be alike at all: inserting or deleting a token changes one count of a histogram by one.

    So the histograms' distance is a lower bound of the Indel distance; nothing is missed. `texts` by ascending length.
    """
    counts = np.zeros((len(texts), _BUCKETS), dtype=np.int16)
    for at, text in enumerate(texts):
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32) % _BUCKETS
        counts[at] = np.minimum(np.bincount(codes, minlength=_BUCKETS), 32767)
    lengths = np.array([len(text) for text in texts])
    for one in range(len(texts) - 1):
        # similarity = 1 − distance / (a + b), and the distance is at least the difference of the lengths
        last = int(np.searchsorted(lengths, lengths[one] * (2 - least) / least + 1, side="right"))
        later = slice(one + 1, max(last, one + 1))
        distance = np.abs(counts[later] - counts[one]).sum(axis=1, dtype=np.int64)
        near = distance <= (1 - least) * (lengths[later] + lengths[one]) + 1e-9
        for offset in np.flatnonzero(near):
            yield one, one + 1 + int(offset)


# --- the normal form ----------------------------------------------------------------------------


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _tokens(definition: ast.stmt, names: frozenset[str]) -> str:
    """A definition as one character a token, without what a copyist changes first. `names`: of all definitions."""
    own = set(names)
    own |= {node.arg for node in ast.walk(definition) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(definition) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.name for node in ast.walk(definition) if isinstance(node, _DEFINITIONS)}
    own |= {node.attr for node in ast.walk(definition) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    try:
        text = ast.unparse(_Plain(own).visit(definition))
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return ""
    return "".join(_character(token) for token in tokens if token.type not in _LAYOUT)


_LAYOUT = (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER)


def _character(token: tokenize.TokenInfo) -> str:
    """One character below the surrogates for each different token; an indentation is a token whatever its width."""
    text = token.string if token.type not in (tokenize.INDENT, tokenize.DEDENT) else tokenize.tok_name[token.type]
    return chr(0x100 + zlib.crc32(text.encode("utf-8", "surrogatepass")) % 0xD000)


class _Plain(ast.NodeTransformer):
    """Own names become one name, strings one string; annotations and docstrings go."""

    def __init__(self, own: set[str]) -> None:
        self._own = own

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(_NAME, node.ctx) if node.id in self._own else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = _NAME if node.attr in self._own else node.attr
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(_NAME)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(_TEXT) if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant(_TEXT)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        return None if node.value is None else ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._definition(node)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.name = _NAME
        if not isinstance(node, ast.ClassDef):
            node.returns = None
        node.body = node.body or [ast.Pass()]
        return ast.fix_missing_locations(node)
