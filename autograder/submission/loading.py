"""Source -> live module: a student's statements run one by one, as cells do, and a failing one costs only itself."""

from __future__ import annotations
import __future__

import ast
import asyncio
import contextlib
import inspect
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import CodeType, MappingProxyType, ModuleType

from autograder.submission.helpers import HelperFinder, remember_source
from autograder.submission.pieces import statements_of
from autograder.submission.shell import notebook_names
from autograder.submission.slicing import locate

_MOST_PROBLEMS = 20
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LONGEST_MESSAGE = 300  # characters of an exception's text that are worth repeating


@dataclass(frozen=True)
class LoadedModule:
    """A module and what went wrong while it was filled: "Cell 5, line 3: NameError: …", one for each statement."""

    module: ModuleType
    problems: tuple[str, ...] = ()


def load_module(
    source: str, name: str, helpers: Mapping[str, str] = MappingProxyType({}), late_annotations: bool = False
) -> LoadedModule:
    """Execute `source` in a fresh module, registered as `name` in sys.modules; never raises for what it holds.

    A top-level statement that raises, SystemExit and KeyboardInterrupt included, becomes a problem and the next
    one runs. A statement may await. `from __future__` holds from its statement on. inspect.getsource, dataclasses and
    pickling by reference work on what is defined. `display` and `get_ipython` are there and do nothing.
    `helpers` are files that can be imported. With `late_annotations` a definition whose annotations name what is not
    there yet is made all the same, as Python 3.14 does.
    """
    module = _fresh_module(source, name)
    HelperFinder(helpers).install()
    problems: list[str] = []
    filename = f"<{name}>"
    flags = failed = 0
    with contextlib.closing(asyncio.Runner()) as runner:
        for statement in _statements(source, filename, problems):
            flags |= _future_flags(statement)
            try:
                _run(statement, filename, flags, module, runner, late_annotations)
            except BaseException as error:
                failed += 1
                if failed <= _MOST_PROBLEMS:
                    problems.append(_problem(source, filename, statement.lineno, error))
    if failed > _MOST_PROBLEMS:
        problems.append(f"… and {failed - _MOST_PROBLEMS} more statements that raised.")
    return LoadedModule(module, tuple(problems))


def _run(
    statement: ast.stmt, filename: str, flags: int, module: ModuleType, runner: asyncio.Runner, late_annotations: bool
) -> None:
    """Execute one statement, and once more where only its annotations can't be evaluated yet."""
    try:
        _execute(_compiled(statement, filename, flags), module, runner)
    except NameError:
        late = __future__.annotations.compiler_flag
        if not late_annotations or flags & late or not isinstance(statement, _DEFINITIONS):
            raise
        _execute(_compiled(statement, filename, flags | late), module, runner)


def _execute(code: CodeType, module: ModuleType, runner: asyncio.Runner) -> None:
    if code.co_flags & inspect.CO_COROUTINE:
        runner.run(eval(code, module.__dict__))
    else:
        exec(code, module.__dict__)


def _fresh_module(source: str, name: str) -> ModuleType:
    """An empty module whose source linecache knows, which is where inspect and tracebacks look."""
    module = ModuleType(name)
    module.__file__ = f"<{name}>"
    module.__spec__ = ModuleSpec(name, loader=None, origin=module.__file__)
    remember_source(module.__file__, source)
    vars(module).update(notebook_names(vars(module)))
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
        flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
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
