"""Whether a piece of a student's code compiles, and why not.

Nothing here is bounded: what is hostile ends the child in which a file is read.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass

from autograder.submission.pieces import statements_of


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
    try:
        statements_of(source)  # the tree, too, must not be too deep
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return Trouble(error.lineno or 1, f"does not parse: {error.msg}", broken=True)
    except MemoryError:
        return Trouble(1, "takes more memory than Python's compiler is given")
    except (ValueError, RecursionError, OverflowError):  # ValueError: a null byte, before 3.11.4
        return Trouble(1, "does not parse: it is nested too deeply or holds a null byte", broken=True)
    return None
