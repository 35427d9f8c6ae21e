"""Notebooks and scripts as a student, or someone who means harm, may hand them in: read, cut down, and said why not."""

from __future__ import annotations

import ast
import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from bounds import Bounds, Broken
from drawn import Drawn

from autograder.records import Exercise, Limits, Submission, Task
from autograder.submission.reader import read_submission
from autograder.submission.slicing import locate

FOLDER = Path("nowhere")
LAB = Exercise("01_x", {}, (Task("1.1", {}, ("f", "g", "Net"), 1.0, {}),), Limits(), FOLDER)
STUBS = ("def f():\n    raise NotImplementedError",)
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
    """Read one file made of `data`: a Submission comes back, whatever it holds."""
    drawn = Drawn(data)
    name, content = _file(drawn)
    with Bounds():
        first = read_submission(FOLDER / name, LAB, "ann", STUBS, data=content)
        check(first, content)
        if len(content) % 16 == 0 and read_submission(FOLDER / name, LAB, "ann", STUBS, data=content) != first:
            raise Broken("the same file is read in two ways")


def check(submission: Submission, content: bytes) -> None:
    """What holds of every submission."""
    if type(submission) is not Submission or submission.sha256 != hashlib.sha256(content).hexdigest():
        raise Broken("no submission, or one of another file")
    if submission.problem and (submission.source or submission.notes):
        raise Broken("what can't be read has a source or notes")
    for sentence in filter(None, (submission.problem, *submission.notes)):
        _is_sentence(sentence)
    if len(submission.notes) > MOST_NOTES:
        raise Broken("more notes than anybody reads")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for statement in ast.parse(submission.source).body:  # one by one, as a worker and Jupyter's cells are run
                compile(ast.Module([statement], []), "<student>", "exec", dont_inherit=True)
        except Exception as error:
            raise Broken(f"what is left of the code does not compile: {error}") from error
    place = locate(submission.source, submission.source.count("\n"))
    if "line" not in place:
        raise Broken(f"a line is nowhere: {place!r}")


def _is_sentence(text: object) -> None:
    if type(text) is not str or len(text) > 1_000 or not text.endswith("."):
        raise Broken(f"no sentence: {text!r:.300}")
    if not text.isprintable() or not text.encode("utf-8"):
        raise Broken(f"a sentence with characters that a terminal may obey: {text!r:.300}")


def _file(drawn: Drawn) -> tuple[str, bytes]:
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
