"""A cell's text -> Python: prompts, magics and main blocks mended, so that every line keeps its number."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from autograder.submission import magics
from autograder.submission.blocks import indented, unguarded
from autograder.submission.compiling import Trouble, trouble_of
from autograder.submission.pieces import File, kept_of_cells

_WRITES = ("writefile", "file")
_OPTIONS = re.compile(r"(?P<before>(?:-a|--append)\s+)?(['\"]?)(?P<name>[^'\"]+?)\2(?P<behind>\s+(?:-a|--append))?")


@dataclass(frozen=True)
class Mended:
    """A cell's source with IPython's syntax made Python; empty when it cannot be used, and `rest` as far as that went.

    `runs`: the lines in whose place a file is to be run, with its name. `file`: the cell does nothing but write one.
    """

    source: str = ""
    trouble: Trouble | None = None
    rest: str = ""
    runs: tuple[tuple[int, str], ...] = ()
    file: File | None = None


@kept_of_cells
def mended(source: str) -> Mended:
    """Make Python of a cell."""
    lines = source.split("\n")
    first = _first(lines)
    lines[first:] = magics.without_ipython_prompts(lines[first:])
    word, class_line, class_name = None, 0, ""
    while match := magics.CELL.fullmatch(lines[first := _first(lines)]):
        name, rest = match[1], match[2].strip()
        if name in _WRITES and (options := _OPTIONS.fullmatch(rest)):
            text = "\n".join(lines[first + 1 :]).removesuffix("\n") + "\n"
            appends = bool(options["before"] or options["behind"])
            return Mended(file=File(options["name"], text, appends, first + 1))
        if not name or name in magics.NO_PYTHON or name in _WRITES:
            return Mended(trouble=Trouble(first + 1, f"begins with %%{name}, which is no Python"))
        if name == "add_to" and rest.isidentifier():
            class_line, class_name = first, rest
        elif name not in magics.PYTHON:
            word = Trouble(first + 1, f"begins with %%{name}", outcome="the rest of it is taken as Python")
        lines[first] = ""
    found = _in_python(lines)
    if found.trouble:
        return Mended(trouble=Trouble(word.line, f"{word.what}, which is no Python")) if word else found
    if class_name:
        found = replace(found, source=_in_class(found.source, class_name, class_line))
    return replace(found, trouble=word)


def _first(lines: list[str]) -> int:
    return next((index for index, line in enumerate(lines) if line.strip()), 0)


def _in_python(lines: list[str]) -> Mended:
    """The code with its magics mended; of a pasted session without its prompts, or without its outputs, too."""
    found = _without_magics([*lines])
    for outputs in (False, True):
        if found.trouble and any(line.lstrip().startswith(">>>") for line in lines):
            stripped = _without_magics(magics.without_classic_prompts(lines, outputs))
            found = found if stripped.trouble else stripped
    if found.trouble:
        return found
    unfolded = unguarded(found.source)
    return found if unfolded != found.source and trouble_of(unfolded) else replace(found, source=unfolded)


def _without_magics(lines: list[str]) -> Mended:
    runs: dict[int, str] = {}
    first = _first(lines)
    for index in [i for i, line in enumerate(lines) if "get_ipython().run_line_magic(" in line]:
        if magics.escaped(lines[index]):
            _mend(lines, index, runs)
    while trouble := trouble_of(source := "\n".join(lines)):
        if not (_dedent(lines, first) or _mend_magics(lines, trouble.line - 1, runs)):
            return Mended(trouble=trouble, rest=source)
    return Mended(source, runs=tuple(sorted(runs.items())))


def _dedent(lines: list[str], first: int) -> bool:
    """Take the first line's indentation from every line, as IPython does with code pasted from a function."""
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    lines[:] = [line.removeprefix(indent) for line in lines]
    return bool(indent)


def _mend_magics(lines: list[str], index: int, runs: dict[int, str]) -> bool:
    """Put Python where a magic stands at `index`, and where more of them follow; False when there is none.

    Where none does, a shell command above may have opened a bracket or a string.
    """
    if not magics.python_of(lines[index]):
        above = [i for i in range(index) if lines[i].lstrip()[:1] in ("%", "!")]
        return bool(above) and _mend(lines, above[0], runs) > 0
    while index < len(lines) and (taken := _mend(lines, index, runs)):
        index += taken
        if index < len(lines) and lines[index].lstrip()[:1] not in ("%", "!"):
            break
    return True


def _mend(lines: list[str], index: int, runs: dict[int, str]) -> int:
    """Put Python in the place of the magic at `index`; return how many lines it had, 0 when there is none."""
    end = index
    while lines[end].rstrip().endswith("\\") and end + 1 < len(lines):
        end += 1
    joined = [line.rstrip().removesuffix("\\") for line in lines[index:end]]
    line = " ".join([*joined, lines[end].rstrip()])
    python = magics.python_of(line)
    if not python:
        return 0
    indent = line[: len(line) - len(line.lstrip())]
    if trouble_of(python.strip()):
        python = f"{indent}pass"
    if not indent and (name := magics.run_target(magics.escaped(line))):
        runs[index + 1] = name
    lines[index : end + 1] = [python, *[""] * (end - index)]
    return end + 1 - index


def _in_class(source: str, name: str, line: int) -> str:
    """`%%add_to NAME`: the cell's functions become methods of a class that continues the one of that name."""
    lines = indented(source).split("\n")
    lines[line] = f"class {name}({name}):" if source.strip() else ""
    continued = "\n".join(lines)
    return continued if not trouble_of(continued) else f"{continued}\n    pass"
