"""Files that cost whoever reads them far more than they cost to make. Each returns a name and the file's bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable


def notebook(*sources: str, more: str = "") -> bytes:
    """A notebook of these code cells; `more` is JSON that stands beside them."""
    cells = [{"cell_type": "code", "source": source} for source in sources]
    return f'{{"nbformat":4,"cells":{json.dumps(cells)}{more}}}'.encode()


def or_pattern(captures: int) -> str:
    """Two orders of many captures: CPython's compiler takes memory by the cube of their number."""
    names = [f"a{number}" for number in range(captures)]
    shuffled = random.Random(1).sample(names, captures)
    return f"match x:\n    case [{','.join(names)}] | [{','.join(shuffled)}]: pass\n"


def nested_finally(depth: int) -> str:
    """Each return is compiled with a copy of every `finally` around it."""
    lines = ["def f(a):"]
    for level in range(1, depth + 1):
        lines += [" " * level + line for line in ("try:", " return 1", "finally:")]
    return "\n".join([*lines, " " * (depth + 1) + "pass"])


def fields(count: int) -> str:
    """An f-string of many fields, which Python 3.11 parses in quadratic time."""
    return f'x = f"{"{a}" * count}"'


def aliases(count: int) -> str:
    """Names that stand for each other's objects, and change them."""
    return "\n".join(f"a{n} = a{n // 2}; a{n}.append(a{n - 1})" for n in range(1, count))


def loops(count: int) -> str:
    """A comprehension of many loops: CPython 3.11's compiler dies of it; other versions raise."""
    return "x = [" + "x for x in " * count + "y]"


def tiny_objects(count: int) -> str:
    """JSON of objects that take twenty times as much memory as text."""
    return "[" + '{"":[]},' * count + "0]"


KINDS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "an or-pattern": lambda: ("a.py", or_pattern(2_500).encode()),
    "an or-pattern in a notebook": lambda: ("a.ipynb", notebook(or_pattern(500), "def f(): return 1")),
    "nested finally": lambda: ("a.py", nested_finally(40).encode()),
    "fields of f-strings": lambda: ("a.ipynb", notebook(*[fields(20_000)] * 3)),
    "aliases": lambda: ("a.py", (aliases(5_000) + "\ndef f(): return a1").encode()),
    "loops": lambda: ("a.ipynb", notebook(loops(80_000))),
    "tiny objects that are skipped": lambda: ("a.ipynb", notebook("f = 1", more=f',"x":{tiny_objects(1_000_000)}')),
    "tiny objects": lambda: ("a.ipynb", notebook("f = 1", more=f',"metadata":{tiny_objects(6_000_000)}')),
    "tiny cells": lambda: ("a.ipynb", f'{{"cells":{tiny_objects(2_000_000)[:-3]}]}}'.encode()),
    "deep JSON": lambda: ("a.ipynb", b'{"cells":[],"x":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"),
    "deep code": lambda: ("a.py", b"x = " + b"-" * 400_000 + b"1"),
    "magics": lambda: ("a.py", b"%x\na = 1\n" * 20_000),
    "broken statements": lambda: ("a.py", b"a = (\nb = 1\n" * 20_000),
    "a source of many lines": lambda: ("a.ipynb", b'{"cells":[{"cell_type":"code","source":[%s""]}]}' % (b'"",' * 999_999)),
    "a long number": lambda: ("a.py", b"x = " + b"9" * 900_000),
}  # fmt: skip
