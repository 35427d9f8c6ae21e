"""Notebooks and scripts as a student, or someone who means harm, may hand them in: read, cut down, and said why not."""

from __future__ import annotations

import ast
import hashlib
import json
import warnings
from typing import Any

from bounds import Bounds, Broken
from drawn import Drawn

from autograder.submission.reader import read, read_cells
from autograder.submission.recognition import Lab
from autograder.submission.record import Frame, Record, decode, encode
from autograder.submission.slicing import locate

STUB = "def f():\n    raise NotImplementedError"
LAB = Lab("01_x", ("f", "g", "Net"), frozenset({"a", "b"}), frozenset({hashlib.sha256(STUB.encode()).hexdigest()}))
MOST_NOTES = 24  # those on cells that do not parse are capped at 20 and one more
LINES = (
    "def f(x):",
    "    return x",
    "f = lambda x: TABLE[x]",
    "class Net:",
    "    def g(self): return f",
    "import torch",
    "TABLE = {}",
    "TABLE['a'] = f",
    "fill(TABLE)",
    "def fill(t): t.update(a=1)",
    "x = 1",
    "x += 1",
    "del x",
    "global x",
    "from x import *",
    "from __future__ import annotations",
    "from __future__ import nothing",
    "for i in x: y.append(i)",
    "with a as b: c = b",
    "try: x = 1",
    "except E as e: pass",
    "finally: y = 2",
    "else:",
    "elif x:",
    "if (n := 3): y = n",
    "while x: x -= 1",
    "match x:",
    "    case {'a': b, **rest}: y = b",
    "    case [a, *c]: pass",
    "async def f(): await x",
    "x = await y",
    "yield x",
    "return",
    "break",
    "@f",
    "@TABLE.register(1)",
    "x = (",
    ")",
    "'''",
    '"""',
    "\\",
    "x = 1; \\",
    "a; b; f = a",
    ";",
    "%matplotlib inline",
    "%time f(1)",
    "    %time x = 1",
    "%%time",
    "%%bash",
    "%%capture out",
    "!ls \\",
    "!pip install x",
    "f?",
    "??f",
    "files = !ls",
    "pip install torch",
    "# %%",
    "# %% [markdown]",
    "# In[1]:",
    "#%%",
    "\t",
    "    ",
    "\x0c",
    "\x00",
    "\ufeff",
    "é = 'é'; print(é); f = é",
    "f'{x!r:{y}}'",
    "print(f'{",
    "exec('f = 1')",
    "globals()['f'] = g",
    "vars()['f'] = 1",
    "setattr(Net, 'g', f)",
    "sys.modules[__name__].f = f",
    "a = b = c",
    "a, *b = c",
    "[f for f in x]",
    "{**TABLE}",
    "print(f(1))",
    "assert f(1)",
    "plt.plot(x)",
    "x: int = 1",
    "x: int",
    "lambda: (yield)",
    "def g(a, /, b=f, *c, d, **e): pass",
    "nonlocal x",
    "def g():",
    "    global f",
    "    f = 1",
    "    nonlocal y",
    "        deeper",
    "coding: utf-16",
    "# -*- coding: latin-1 -*-",
    "# ptqlab: cell 3",
    "import numpy as np",
    "f.a.b[c] = d",
    "type X = int",
    "0777",
    "1_",
    "1e999",
    "x = 'a\\q'",
    "\u2028",
    "\x85",
    "if x: pass",
    "    pass",
    "g = functools.partial(f, 1)",
    "Net.g = f",
    "(f)(x)",
    "f = g = Net",
    "\U0001f600",
    "x\ud800",
)
TYPES = ("code", "code", "code", "code", "code", "code", "markdown", "raw", None, 1)
REPEATED = (
    "(",
    "[",
    "-",
    "a.",
    "f(",
    "not ",
    "x = ",
    "if x: ",
    "lambda: ",
    "    ",
    "\\\n",
    "a\n",
    "@f\n",
    "f'{",
    "**",
    "else ",
)


def one(data: bytes) -> None:
    """Read one file made of `data`: a record comes back, whatever it holds."""
    drawn = Drawn(data)
    name, content = file_of(drawn)
    with Bounds():
        first = record_of(name, content)
        check(first)
        if len(content) % 16 == 0 and record_of(name, content) != first:
            raise Broken("the same file is read in two ways")


def record_of(name: str, content: bytes) -> Record:
    """What the reader says of a file, as it crosses to the grader: a frame that breaks a cap is not taken."""
    record, shown = Record(name=name), Record(name=name)
    read(name, content, LAB, lambda frame: record.add(_crossed(frame)))
    read_cells(name, content, lambda frame: shown.add(_crossed(frame)))
    record.cells = shown.cells
    return record


def _crossed(frame: Frame) -> Frame:
    crossed = decode(encode(frame))
    if crossed != frame:
        raise Broken(f"a frame is another one on the other side: {frame!r:.300}")
    return crossed


def check(record: Record) -> None:
    """What holds of every record."""
    if record.look is None or (record.code is None) != bool(record.look.problem):
        raise Broken("a file is neither read nor refused")
    notes = record.code.notes if record.code else []
    for sentence in filter(None, (record.problem, *notes)):
        _is_sentence(sentence)
    if len(notes) > MOST_NOTES:
        raise Broken("more notes than anybody reads")
    if record.code:
        _compiles(record.code.source)


def _compiles(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for statement in ast.parse(source).body:  # one by one, as a worker and Jupyter's cells are run
                compile(
                    ast.Module([statement], []), "<student>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
                )
        except Exception as error:
            raise Broken(f"what is left of the code does not compile: {error}") from error
    place = locate(source, source.count("\n"))
    if "line" not in place:
        raise Broken(f"a line is nowhere: {place!r}")


def _is_sentence(text: object) -> None:
    if type(text) is not str or len(text) > 1_000 or not text.endswith("."):
        raise Broken(f"no sentence: {text!r:.300}")
    if not text.isprintable() or not text.encode("utf-8"):
        raise Broken(f"a sentence with characters that a terminal may obey: {text!r:.300}")


def file_of(drawn: Drawn) -> tuple[str, bytes]:
    """A file's name and content: bytes as they come, a script, or a notebook in one of its shapes."""
    kind = drawn.below(8)
    if kind == 0:
        return drawn.pick(("a.ipynb", "a.py", "a.PY", "a.txt")), drawn.rest()
    if kind == 1:
        mark = drawn.pick(("\n# %%\n", "\n# %% x\n", "\n# In[3]:\n", "\n", "\r\n#%%\r\n"))
        text = mark.join(_code(drawn) for _ in range(drawn.below(5)))
        return "a.py", drawn.damage(text.encode("utf-8", "surrogatepass"))
    notebook = _notebook(drawn)
    data = json.dumps(notebook, ensure_ascii=bool(drawn.below(2))).encode("utf-8", "surrogatepass")
    return "a.ipynb", drawn.damage(data) if kind == 3 else data


def _notebook(drawn: Drawn) -> Any:
    cells = [_cell(drawn) for _ in range(drawn.below(6))]
    match drawn.below(16):
        case 1:
            return {"worksheets": [{"cells": cells}, drawn.pick((None, {}, {"cells": 1}))]}
        case 2:
            return drawn.pick(({"cells": {}}, [], 1, "cells", {"worksheets": 1}, {"cells": [1, None, "code"]}))
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def _cell(drawn: Drawn) -> Any:
    code = _code(drawn)
    source: Any = code
    match drawn.below(8):
        case 1:
            source = code.split("\n")
        case 2:
            source = code.splitlines(keepends=True)
        case 3:
            source = drawn.pick((None, 1, [1], {}, ["a", None]))
    key = "input" if drawn.below(16) == 1 else "source"
    return {"cell_type": drawn.pick(TYPES), key: source, "outputs": [], "metadata": {"nbgrader": {"grade": True}}}


def _code(drawn: Drawn) -> str:
    """Lines: known ones, indented, joined, repeated, or of the bytes themselves."""
    lines = [_line(drawn) for _ in range(drawn.below(10))]
    return drawn.pick(("\n", "\n", "\n", "\r\n", "\r")).join(lines)


def _line(drawn: Drawn) -> str:
    match drawn.below(16):
        case 0:
            return drawn.text(24)
        case 1:
            part = drawn.pick(REPEATED)
            return part * drawn.below(20 if "\n" in part else 256) + drawn.pick(("", "x", ")"))
        case 2:
            return "    " + drawn.pick(LINES)
        case 3:
            return drawn.pick(LINES) + drawn.pick(("; ", " ", "\\", "#", "")) + drawn.pick(LINES)
        case 4:
            return drawn.pick(LINES)[: drawn.below(24)]
    return drawn.pick(LINES)
