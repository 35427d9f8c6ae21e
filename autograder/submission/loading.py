"""Source -> live module: a student's statements run one by one, as cells do, and a failing one costs only itself."""

from __future__ import annotations
import __future__

import ast
import linecache
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from autograder.submission.slicing import locate, statements_of

_MOST_PROBLEMS = 20
_LONGEST_MESSAGE = 300  # characters of an exception's text that are worth repeating


@dataclass(frozen=True)
class LoadedModule:
    """A module and what went wrong while it was filled: "Cell 5, line 3: NameError: …", one for each statement."""

    module: ModuleType
    problems: tuple[str, ...] = ()


def load_module(source: str, name: str) -> LoadedModule:
    """Execute `source` in a fresh module, registered as `name` in sys.modules; never raises for what it holds.

    A top-level statement that raises, SystemExit and KeyboardInterrupt included, becomes a problem and the next
    one runs. `from __future__` holds from its statement on. `__name__` is `name`, so main blocks do not run.
    inspect.getsource, dataclasses and pickling by reference work on what is defined.
    """
    module = _fresh_module(source, name)
    problems: list[str] = []
    filename = f"<{name}>"
    flags = failed = 0
    for statement in _statements(source, filename, problems):
        flags |= _future_flags(statement)
        try:
            exec(_compiled(statement, filename, flags), module.__dict__)
        except BaseException as error:
            failed += 1
            if failed <= _MOST_PROBLEMS:
                problems.append(_problem(source, filename, statement.lineno, error))
    if failed > _MOST_PROBLEMS:
        problems.append(f"… and {failed - _MOST_PROBLEMS} more statements that raised.")
    return LoadedModule(module, tuple(problems))


def _fresh_module(source: str, name: str) -> ModuleType:
    """An empty module whose source linecache knows, which is where inspect and tracebacks look."""
    module = ModuleType(name)
    module.__file__ = f"<{name}>"
    module.__spec__ = ModuleSpec(name, loader=None, origin=module.__file__)
    lines = [f"{line}\n" for line in source.split("\n")]  # not splitlines: a form feed ends no line of Python
    linecache.cache[module.__file__] = (len(source), None, lines, module.__file__)
    sys.modules[name] = module
    return module


def _statements(source: str, filename: str, problems: list[str]) -> Sequence[ast.stmt]:
    """The top-level statements; none, and a problem, when the source does not parse."""
    try:
        return statements_of(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problems.append(_problem(source, filename, getattr(error, "lineno", None) or 1, error))
        return []


def _compiled(statement: ast.stmt, filename: str, flags: int) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is the student's matter, not the grader's log's
        code: CodeType = compile(ast.Module([statement], []), filename, "exec", flags, dont_inherit=True)
        return code


def _future_flags(statement: ast.stmt) -> int:
    """The compiler flags that a `from __future__ import …` sets for what follows it."""
    flags = 0
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        for alias in statement.names:
            feature = getattr(__future__, alias.name, None)
            flags |= getattr(feature, "compiler_flag", 0)
    return flags


def _problem(source: str, filename: str, line: int, error: BaseException) -> str:
    """Where in the student's own code it broke, and how."""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == filename:
            line = number
    place = locate(source, line)
    return f"{place[0].upper()}{place[1:]}: {_described(error)}"


def _described(error: BaseException) -> str:
    """The last line that Python would print, cut to a sensible length; a broken __str__ is no reason to fail."""
    kind = type(error).__name__
    try:
        lines = str(error.msg if isinstance(error, SyntaxError) else error).strip().split("\n")
    except BaseException:
        return f"{kind} (whose text cannot be shown)"
    return f"{kind}: {lines[0][:_LONGEST_MESSAGE]}" if lines[0] else kind
