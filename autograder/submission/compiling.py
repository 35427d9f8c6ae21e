"""Does a piece of a student's code compile? If not, why: within limits, since it may be hostile."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.submission.pieces import statements_of

_LARGE = 100_000  # characters; up to here only copies of `finally` were found that take CPython's compiler long
_MOST_COPIED = (
    100_000  # nodes that it compiles again: a fraction of a second, and more than any text here has by itself
)
_ENDLESS = 10**9  # nodes; numbers stay small
_MARGIN = 20  # calls
_PATIENCE_S = 10
_TRIAL = "import ast, sys; compile(ast.parse(sys.stdin.buffer.read()), '', 'exec')"
_TOO_MUCH = "it is too large or too intricate for Python's compiler"


@dataclass(frozen=True)
class Trouble:
    """A word about a piece of code, and what becomes of it. `broken`: it does not compile, though statements in it may.

    `python`: it does in this version of Python.
    """

    line: int
    what: str
    broken: bool = False
    outcome: str = "what it defines is not graded"
    python: str = ""

    def sentence(self, offset: int = 0) -> str:
        """What becomes of the code, for the student; `offset` lines of the file stand above it."""
        what, colon, detail = self.what.partition(": ")
        return f"{what} (line {offset + self.line}{colon}{detail}): {self.outcome}."


def trouble_of(source: str) -> Trouble | None:
    """Return why `source` does not compile, if it does not. Nothing is run. It may await at the top level."""
    if len(source) > _LARGE and not _survives(source):
        return _broken(1, _TOO_MUCH)
    try:
        body = _parsed_below(source, _MARGIN)
        if "finally" in source and _copied(body) > _MOST_COPIED:
            return _broken(1, _TOO_MUCH)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return _broken(error.lineno or 1, error.msg)
    except (ValueError, RecursionError, MemoryError, OverflowError):  # ValueError: a null byte, before 3.11.4
        return _broken(1, "it is nested too deeply or holds a null byte")
    return None


def _parsed_below(source: str, calls: int) -> Sequence[ast.stmt]:
    """Parse it some calls further down than whoever does so later: what is nearly too deep fails here, not there."""
    return _parsed_below(source, calls - 1) if calls else statements_of(source)


def _copied(body: Sequence[ast.stmt]) -> int:
    """How many nodes CPython compiles again, at most: a `finally` is copied to each way out of its `try`.

    Nested in one another, a few lines of them fill any memory.
    """
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = [*body]
    while waiting:  # no recursion: it may be deep
        nodes.append(node := waiting.pop())
        waiting += ast.iter_child_nodes(node)
    sizes: dict[ast.AST, int] = {}  # of what is compiled
    exits: dict[ast.AST, int] = {}  # ways out of a block: return, break, continue
    for node in reversed(nodes):  # inner ones first
        below = list(ast.iter_child_nodes(node))
        last = getattr(node, "finalbody", [])
        ends = set(last)
        own = 1 + sum(sizes[child] for child in below if child not in ends)
        out = sum(exits[child] for child in below if child not in ends)
        copies = out + 2  # and one for each of going on and an exception
        sizes[node] = min(own + copies * sum(sizes[child] for child in last), _ENDLESS)
        out = min(out + copies * sum(exits[child] for child in last), _ENDLESS)
        is_scope = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        exits[node] = 0 if is_scope else out + isinstance(node, ast.Return | ast.Break | ast.Continue)
    return sum(sizes[node] for node in body) - len(nodes)


def _broken(line: int, why: str) -> Trouble:
    return Trouble(line, f"does not parse: {why}", broken=True)


def _survives(source: str) -> bool:
    """Whether an interpreter of its own lives through compiling `source`, which is not run.

    Some code of a megabyte crashes CPython's compiler or keeps it busy for minutes; that must not take the grader.
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _TRIAL]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode in (0, 1)  # 1: it does not compile, and the exception says why
