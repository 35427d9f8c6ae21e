"""The dependency slice: what it keeps and drops, and that lab 01 survives it with every habit in full."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import habits

from autograder.records import Exercise, Limits, Task
from autograder.submission import bindings, linking, slicing
from autograder.submission.loading import load_module
from autograder.submission.pieces import Cell
from autograder.submission.reader import read_submission
from autograder.submission.slicing import Slice, locate, slice_cells

TASKS = {
    "1.1": ("symmetric_quantization",),
    "1.2": ("asymmetric_quantization",),
    "1.3": ("dequantize",),
    "1.4": ("BasicQuantizer",),
    "1.5": ("per_channel_quantization",),
    "1.6": ("group_quantization",),
    "1.7": ("pack_int4", "unpack_int4"),
    "1.8": ("compute_sqnr", "compute_cosine_sim", "compute_kl_div"),
}
LAB = Exercise(
    "01_basic_quantization",
    {},
    tuple(Task(key, {}, bindings, 1.0, {}) for key, bindings in TASKS.items()),
    Limits(),
    Path("exercises/01_basic_quantization"),
)


def answers(module: ModuleType) -> dict[str, torch.Tensor]:
    """What each graded name of lab 01 returns on a few tensors, errors included."""
    g = torch.Generator().manual_seed(7)
    w = torch.randn(6, 8, generator=g)
    found: dict[str, torch.Tensor] = {}
    for bits in (2, 5, 8):
        q, scale = module.symmetric_quantization(w, bits)
        u, scale_u, zero_point = module.asymmetric_quantization(w + 1, bits=bits)
        back = module.dequantize(u, scale_u, zero_point)
        found |= {f"q{bits}": q, f"s{bits}": scale, f"u{bits}": u, f"su{bits}": scale_u, f"zp{bits}": zero_point}
        found |= {f"back{bits}": back, f"restored{bits}": module.dequantize(q, scale)}
        for symmetric in (True, False):
            quantizer = module.BasicQuantizer(bits=bits, symmetric=symmetric)
            with pytest.raises(RuntimeError):
                quantizer.quantize(w)
            quantizer.calibrate(w)
            found[f"quantizer{bits}{symmetric}"] = quantizer.dequantize(quantizer.quantize(2 * w))
    found["zeros"] = module.dequantize(*module.symmetric_quantization(torch.zeros(3)))
    found["channels"] = module.per_channel_quantization(w, axis=-1)[1]
    found["groups"] = module.group_quantization(w, group_size=4)[1]
    found["bytes"] = module.pack_int4(module.symmetric_quantization(w, 4)[0])
    found["nibbles"] = module.unpack_int4(found["bytes"])
    found["sqnr"] = torch.as_tensor(module.compute_sqnr(w, w.round()))
    found["cosine"] = torch.as_tensor(module.compute_cosine_sim(w, w.round()))
    found["kl"] = torch.as_tensor(module.compute_kl_div(w, w.round()))
    for wrong in (torch.empty(0), torch.tensor([torch.nan])):
        with pytest.raises(ValueError):
            module.symmetric_quantization(wrong)
    with pytest.raises(ValueError):
        module.pack_int4(torch.tensor([8, 0]))
    return {name: torch.as_tensor(value) for name, value in found.items()}


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    return answers(load_module("\n".join(code for _, code in habits._titled("_plain")), "plain").module)


@pytest.mark.parametrize("habit", habits.NAMES)
def test_a_habit_survives_the_slice(
    habit: str, expected: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some habits write files where they are
    submission = read_submission(habits.write(habit, tmp_path), LAB, "ann")
    assert submission.problem == ""
    loaded = load_module(submission.source, f"habit_{habit}", submission.helpers)
    assert loaded.problems == ()
    got = answers(loaded.module)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype or name in ("zp2", "zp5", "zp8", "sqnr", "cosine")
        torch.testing.assert_close(got[name], value, check_dtype=False, msg=lambda text, name=name: f"{name}: {text}")
    for text in habits.header(habit, "drops"):
        assert text not in submission.source
    for text in habits.header(habit, "notes"):
        assert any(text in note for note in submission.notes)


# --- single rules: f is graded; what is kept and what is dropped is written out -----------------------------------


def cut(*sources: str) -> Slice:
    return slice_cells([Cell(number, source) for number, source in enumerate(sources, start=1)], ["f"])


def kept(*sources: str) -> list[str]:
    """The lines that are kept."""
    lines = cut(*sources).source.split("\n")
    return [line for line in lines if line.strip() and not line.startswith("# ptqlab: cell ")]


F = "def f(): return T"

KEPT = {
    "a store into a needed table": ["T = {}", "T[1] = 2", F],
    "a store into a part of it": ["T = {1: {}}", "T[1]['a'].b = 2", F],
    "a deletion from it": ["T = {1: 2}", "del T[1]", F],
    "an augmented assignment": ["T = 1", "T += 1", F],
    "a mutating method": ["T = []", "T.append(1)", F],
    "a mutating method in a comprehension": ["T = []", "[T.append(i) for i in range(3)]", F],
    "a mutating method whose value is kept": ["T = [1]", "_ = T.pop()", F],
    "an in-place method of a tensor": ["T = g()", "u = T.mul_(2)", F],
    "any method in a statement of its own": ["T = g()", "T.configure(bits=8)", F],
    "a method of a part": ["T = {1: []}", "T.setdefault(2, []).append(1)", F],
    "an unknown function in a statement of its own": ["from m import fill", "T = []", "fill(T)", F],
    "a module's function": ["import random", "T = [1]", "random.shuffle(T)", F],
    "next on an iterator": ["T = iter([1])", "next(T)", F],
    "a helper that changes its argument": ["def g(t): t.append(1)", "T = []", "n = g(T)", F],
    "a helper that changes a keyword argument": ["def g(a, t): t[0] = a", "T = [0]", "n = g(1, t=T)", F],
    "a helper that hands its argument on": ["def g(t): t.x = 1", "def h(a, t): g(t)", "T = o()", "n = h(1, T)", F],
    "a helper that changes a part of its argument": ["def g(t):\n  u = t.a\n  u.append(1)", "T = o()", "n = g(T)", F],
    "another name of the same object": ["T = {}", "u = T", "u[1] = 2", F],
    "another name in a loop": ["T = []", "for u in (1, T): u.append(1)", F],
    "another name by zip": ["T = []", "for n, u in zip((1,), (T,)): u.append(n)", F],
    "another name by enumerate": ["T = []", "for n, u in enumerate([T]): u.append(n)", F],
    "another name by unpacking": ["T = []", "n, u = 1, T", "u.append(n)", F],
    "a name for a part": ["T = {1: []}", "u = T[1]", "u.append(1)", F],
    "something held in a container": ["T = []", "u = {'t': T}", "u['t'].append(1)", F],
    "what a function returns": ["T = []", "def g(): return T", "g().append(1)", F],
    "a function with an effect": ["T = []", "def g(): T.append(1)", "g()", F],
    "a function with an effect through another": ["T = []", "def g(): T.append(1)", "def h(): g()", "h()", F],
    "a function that assigns a global": ["T = 1", "def g():\n  global T\n  T = 2", "g()", F],
    "a function that counts in a global": ["n = 1", "def f():\n  global n\n  n += 1"],
    "a lambda with an effect": ["T = []", "g = lambda: T.append(1)", "g()", F],
    "a method with an effect": ["T = []", "class A:\n  def g(self): T.append(1)", "a = A()", "a.g()", F],
    "a decorator with an effect": ["T = []", "def g(h):\n  T.append(h)\n  return h", "@g\ndef h(): pass", F],
    "an attribute of the graded function": ["def f(): return f.n", "f.n = 3"],
    "a class patched by a helper": ["class f: pass", "def g(c): setattr(c, 'm', 1)", "n = g(f)"],
    "registration by a method": ["def f(): pass", "f.register(int, str)"],
    "both branches": ["import sys", "if sys.platform:\n  T = 1\nelse:\n  T = 2", F],
    "a loop that computes": ["n = 0", "while n < 5: n += 1", "T = n", F],
    "an earlier binding that may stand": ["n = 1", "if x: n = 2", "T = n", F],
    "an earlier binding under try": ["n = 1", "try:\n  n = g()\nexcept E:\n  pass", "T = n", F],
    "an earlier binding beside a walrus": ["n = 1", "0 and (n := 2)", "T = n", F],
    "an earlier binding beside a loop": ["n = 1", "for n in x: pass", "T = n", F],
    "an earlier binding that a branch reads": ["n = 1", "if x:\n  n = 2\nelse:\n  T = n", F],
    "a module's settings": ["import torch", "torch.manual_seed(0)", "def f(): return torch"],
    "a library's settings, by way of what is imported from it": [
        "import torch",
        "from torch.nn import functional as F",
        "torch.set_default_dtype(torch.float64)",
        "def f(): return F",
    ],
    "a setting by a function of the library": [
        "from torch import set_grad_enabled as g, nn",
        "g(False)",
        "def f(): return nn",
    ],
    "a setting whose value is thrown away": [
        "import torch",
        "_ = torch.set_grad_enabled(False)",
        "def f(): return torch",
    ],
    "a setting that a manager makes": ["import torch", "torch.no_grad().__enter__()", "def f(): return torch"],
    "settings in a function": [
        "import torch, random",
        "def seed_all(s=0):\n  random.seed(s)\n  if torch.cuda.is_available(): torch.cuda.manual_seed_all(s)\n  return s",
        "seed_all(1)",
        "def f(): return torch",
    ],
    "a setting of the interpreter": ["import sys", "sys.setrecursionlimit(5000)", "def f(n): return n and f(n - 1)"],
    "a folder on the path": ["import sys", "sys.path.insert(0, 'src')", "def f(): pass"],
    "a decorator that stores what an annotation names": [
        "def patch(g): setattr(g.__annotations__['self'], 'm', g)",
        "class A: pass",
        "@patch\ndef m(self: A): pass",
        "def f(): return A",
    ],
    "a decorator of another file's": [
        "from my_tools import patch",
        "class A: pass",
        "@patch\ndef m(self: A): pass",
        "def f(): return A",
    ],
    "a method that sets an attribute": ["class f: pass", "object.__setattr__(f, 'n', 1)"],
    "a lambda that is handed on": ["class f: pass", "list(map(lambda g: setattr(f, 'g', g), [1]))"],
    "a file that is written": ["open('k.txt', 'w').write('1')", "def f(): return open('k.txt').read()"],
    "a file in a folder that is made": [
        "import os, torch",
        "os.makedirs('out', exist_ok=True)",
        "torch.save(1, 'out/k.pt')",
        "def f(): return torch.load('out/k.pt')",
    ],
    "a file under a name": [
        "P = 'k'",
        "import json",
        "with open(P, 'w') as g: json.dump(1, g)",
        "def f(): return open(P)",
    ],
    "a file that stays open": ["g = open('k', 'a')", "g.write('1')", "g.close()", "def f(): return open('./k')"],
    "a file that a path writes": [
        "from pathlib import Path",
        "(Path('a') / 'k').write_text('1')",
        "def f(): return open('a/k')",
    ],
    "both definitions of what a function reads": ["T = 1", "T = 2", F],
    "a default and an annotation": ["D = 1", "A = int", "def f(x: A = D) -> A: return x"],
    "a base and a metaclass": ["class B: pass", "class M(type): pass", "class f(B, metaclass=M): pass"],
    "a class body's names": ["D = 1", "class f:\n  d = D"],
    "a comprehension's source": ["d = [1]", "T = [d for d in d]", F],
    "a deleted name's value": ["n = 1", "T = n", "del T", F],
    "a star import": ["from math import *", "def f(): return pi"],
    "exec and globals": ["exec('T = 1')", "globals()['U'] = 2", F],
    "a helper that uses globals": ["def g(): globals()['T'] = 1", "n = g()", F],
    "the module by its name": ["import sys", "setattr(sys.modules[__name__], 'T', 1)", F],
    "all definitions when the function looks names up": ["T = 1", "def f(): return globals()['T']"],
}
DROPPED = {  # all statements, and those that stay
    "showing a needed table": (["T = []", "print(T)", "display(T)", "plot_levels(T)", "len(T)", F], ["T = []", F]),
    "showing it with imported functions": (
        [
            "from m import display, plot_levels",
            "import plt",
            "T = []",
            "display(T)",
            "plot_levels(T)",
            "plt.plot(T)",
            F,
        ],
        ["T = []", F],
    ),
    "reading a needed table": (
        ["T = {}", "T.items()", "u = T.get(1)", "for k, v in T.items(): print(k)", "T.abs().max()", F],
        ["T = {}", F],
    ),
    "calling the graded function": (["T = 1", F, "x = f()", "f()", "x.y = f()"], ["T = 1", F]),
    "calling it through another name": ([F, "T = 1", "g = f", "g()", "for h in (f, g): h()"], [F, "T = 1"]),
    "a method of its result": (["T = [1]", F, "f().append(1)", "f()[0] = 2"], ["T = [1]", F]),
    "a graded function's effects": (
        ["T = []", "def f(): T.append(1)", "f()", "for i in range(3): f()"],
        ["T = []", "def f(): T.append(1)"],
    ),
    "a helper that only reads its argument": (["def g(t): return t.n", "T = []", "g(T)", "u = g(T)", F], ["T = []", F]),
    "a helper that gives its parameter a new value": (["def g(t): t = [1]; t = 2", "T = []", "g(T)", F], ["T = []", F]),
    "a helper handed the graded function": (["from m import g", "T = 1", F, "g(f)", "h = g(f)"], ["T = 1", F]),
    "a container of a needed name": (["T = 1", "u = {'t': T}", "u['n'] = f()", "u.update(m=1)", F], ["T = 1", F]),
    "plots over graded functions": (["for ax, g in zip(axes, [f, f]): ax.plot(g())", "T = 1", F], ["T = 1", F]),
    "a binding that is overwritten": (["n = 1", "n = 2", "T = n", F], ["n = 2", "T = n", F]),
    "a binding overwritten in every branch": (
        ["n = 1", "if x: n = 2\nelse: n = 3", "T = n", F],
        ["if x: n = 2\nelse: n = 3", "T = n", F],
    ),
    "a binding overwritten by try and by except": (
        ["n = 1", "try: import n\nexcept E: n = 3", "T = n", F],
        ["try: import n\nexcept E: n = 3", "T = n", F],
    ),
    "a later binding of a name read at once": (["n = 1", "T = n", "n = 2", F], ["n = 1", "T = n", F]),
    "a loop variable of the same name": (
        ["for i in (1, 2): g(i)", "T = {}", "for i in (1, 2): T[i] = i", F],
        ["T = {}", "for i in (1, 2): T[i] = i", F],
    ),
    "a file of the same name": (
        ["with g() as n: pass", "with h() as n: T = n.read()", F],
        ["with h() as n: T = n.read()", F],
    ),
    "a local of the same name": (
        ["q = 1", "def f():\n  q = 2\n  q += 1\n  return q"],
        ["def f():\n  q = 2\n  q += 1\n  return q"],
    ),
    "a comprehension's variable of the same name": (
        ["for b in (1, 2): g(b)", "T = [b for b in range(3)]", F],
        ["T = [b for b in range(3)]", F],
    ),
    "a parameter of the same name": (["x = 1", "def f(x): return x"], ["def f(x): return x"]),
    "a function of a library that sets nothing": (
        ["from torch import compile as set_up, nn", "set_up(1)", "def f(): return nn"],
        ["from torch import compile as set_up, nn", "def f(): return nn"],
    ),
    "a setting of a library that nothing uses": (["import pandas as pd", "pd.set_option('a', 1)", F], [F]),
    "a setting in an experiment's loop": (
        ["import torch", "for s in range(5):\n  torch.manual_seed(s)\n  train()", "def f(): return torch"],
        ["import torch", "def f(): return torch"],
    ),
    "a setting in an experiment's function": (
        ["import torch", "def train(m):\n  torch.manual_seed(0)\n  m.fit(1)", "train(1)", "def f(): return torch"],
        ["import torch", "def f(): return torch"],
    ),
    "a setting within an experiment": (
        ["import torch", "with torch.set_grad_enabled(False): g = f()", "def f(): return torch"],
        ["import torch", "def f(): return torch"],
    ),
    "the device of an experiment": (
        ["import torch", "torch.set_default_device('cuda')", "def f(): return torch"],
        ["import torch", "def f(): return torch"],
    ),
    "an experiment that a library's decorator wraps": (
        ["import torch", "class A: pass", "@torch.no_grad()\ndef evaluate(a: A): return data", "def f(): return A"],
        ["class A: pass", "def f(): return A"],
    ),
    "an experiment that a timer wraps": (
        [
            "def timed(g):\n  def run(*a): return g(*a)\n  return run",
            "class A: pass",
            "@timed\ndef evaluate(a: A): return data",
            "def f(): return A",
        ],
        ["class A: pass", "def f(): return A"],
    ),
    "a file that nothing needed reads": (
        ["T = 1", "open('k.txt', 'w').write('T')", "x = open('k.txt')", F],
        ["T = 1", F],
    ),
    "a file that an experiment writes, beside one that is read": (
        ["import json", "T = 1", "json.dump(2, open('plot.json', 'w'))", "def f(): return T, open('k.txt')"],
        ["T = 1", "def f(): return T, open('k.txt')"],
    ),
    "a file that is only read": (
        ["x = open('k.txt').read()", "def f(): return open('k.txt')"],
        ["def f(): return open('k.txt')"],
    ),
    "a table that is handed to a method that writes": (
        ["T = [1]", "y = data.to_csv(T)", F],
        ["T = [1]", F],
    ),
    "a table that is copied": (
        ["import numpy as np", "T = [1]", "y = np.copy(T + [1])", "z = T.abs().copy()", F],
        ["T = [1]", F],
    ),
    "a word to IPython": (["get_ipython().run_line_magic('cd', '..')", "T = 1", F], ["T = 1", F]),
    "an assertion": (["T = 1", F, "assert f() == 2"], ["T = 1", F]),
    "a docstring": (['"""About."""', "T = 1", F], ["T = 1", F]),
    "an import that nothing reads": (["import os", "T = 1", F], ["T = 1", F]),
    "a wrapper made for an experiment": (["T = 1", F, "timed = wrap(f)", "timed()"], ["T = 1", F]),
    "experiments beside a function that looks names up": (
        ["T = 1", "def f(): return globals()['T']", "x = f()", "print(x)"],
        ["T = 1", "def f(): return globals()['T']"],
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str) -> None:
    assert kept(*KEPT[name]) == "\n".join(KEPT[name]).split("\n")


@pytest.mark.parametrize("name", DROPPED)
def test_dropped(name: str) -> None:
    everything, expected = DROPPED[name]
    assert kept(*everything) == "\n".join(expected).split("\n")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement is new in 3.12")
def test_a_type_statement_is_kept() -> None:
    sources = ["from m import Q", "type T = list[Q]", "def f(x: T): return x"]
    assert kept(*sources) == sources


def test_the_statements_that_are_dropped_are_listed_with_their_places() -> None:
    found = cut("import os\nx = 1; print(x)\nplot(x,\n  1)", f"'text'\npass\n{F}", "@g\nclass A:\n  pass")
    assert found.dropped == (
        ("cell 1, line 2", "x = 1"),
        ("cell 1, line 2", "print(x)"),
        ("cell 1, line 3", "plot(x,"),
        ("cell 3, line 2", "class A:"),
    )


# --- the text of the module ---------------------------------------------------------------------------------------


def test_every_line_keeps_its_number_within_its_cell() -> None:
    found = cut("print(1)\n\nT = (1,\n     2)\nprint(2)\n", "print(3)", f"# a comment\n\n{F}")
    assert found.source == (
        "# ptqlab: cell 1\n\n\nT = (1,\n     2)\n# ptqlab: cell 3\n# a comment\n\ndef f(): return T\n"
    )
    assert locate(found.source, 1) == "line 1"
    assert [locate(found.source, number) for number in (2, 4, 5)] == [f"cell 1, line {n}" for n in (1, 3, 4)]
    assert [locate(found.source, number) for number in (7, 9)] == [f"cell 3, line {n}" for n in (1, 3)]


def test_a_script_keeps_the_lines_of_its_file() -> None:
    found = slice_cells([Cell(0, "T = 1\nprint(T)"), Cell(0, F, offset=5)], ["f"])
    assert found.source == f"T = 1\n\n\n\n\n{F}\n"
    assert locate(found.source, 6) == "line 6"
    assert found.dropped == (("line 2", "print(T)"),)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("T = 1; print(T)", "T = 1; pass"),
        ("print(1); T = 1", "pass; T = 1"),
        ("print('é', 1); T = 'é'; print(T); U = 1", "pass; T = 'é'; pass; pass"),
        ("T = 1; print(\n  T,\n  1); print(2)", "T = 1; pass\\\n\\\n; pass"),
        ("print(1,\n  2); T = 1", "pass\\\n; T = 1"),
        ("T = 1; \\\nprint(T)", "T = 1; \\\npass"),
        ("print(1); \\\nT = 1", "pass; \\\nT = 1"),
        ("print(1); \\\nprint(2)\nT = 1", "\n\nT = 1"),
        ("print(1); print(2)  # both\nT = 1", "\nT = 1"),
        ("@g\ndef h():\n  pass\nT = 1", "\n\n\nT = 1"),
    ],
)
def test_statements_that_share_a_line_are_taken_apart(source: str, expected: str) -> None:
    found = slice_cells([Cell(0, f"{source}\n{F}")], ["f"])
    assert found.source == f"{expected}\n{F}\n"
    compile(found.source, "<slice>", "exec")


def test_a_late_future_import_moves_to_the_top() -> None:
    late = "from __future__ import annotations\ndef f(x: X): return T"
    assert cut("T = 1", late).source == (
        "from __future__ import annotations\n# ptqlab: cell 1\nT = 1\n# ptqlab: cell 2\n\ndef f(x: X): return T\n"
    )


def test_an_early_future_import_stays_where_it_is() -> None:
    early = f"'doc'\nfrom __future__ import annotations\nT = 1\n{F}"
    assert slice_cells([Cell(0, early)], ["f"]).source == f"\nfrom __future__ import annotations\nT = 1\n{F}\n"


def test_nothing_graded_is_an_empty_module() -> None:
    assert cut("x = 1", "print(x)").source == "\n"


def test_a_statement_nested_too_deeply_to_be_analysed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(bindings, "_KNOWN", {})
    monkeypatch.setattr(linking, "_analysed", linking._analysed.__wrapped__)
    monkeypatch.setattr(bindings, "_names_of", too_deep)
    assert kept("x = 1", F) == ["x = 1", F]


HUGE = "0x" + "f" * 6000  # CPython writes no number of more than 4300 decimal digits


@pytest.mark.parametrize(
    "statement", [f"big = {HUGE}", "msg = f'{\"\x01\"}'"], ids=["a huge number", "a control character"]
)
def test_a_statement_that_cannot_be_written_out_anew_is_kept(statement: str) -> None:
    assert kept(f"a = 1; {statement}", F)[0].endswith(statement)


# it took hours
BOMBS = {"nested comprehensions": "x = " + "[a for a in " * 60 + "[1]" + "]" * 60}


@pytest.mark.parametrize("name", BOMBS)
def test_a_few_lines_do_not_keep_the_slice_busy(name: str) -> None:
    assert F in kept(BOMBS[name], F)


def test_a_binding_is_told_of_once_for_all_who_read_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice, that is: for who reads it at once, and for functions, which may read it at any time."""
    told = []
    own = slicing.Effects.providers

    def counted(*args: Any) -> Iterator[int]:
        for index in own(*args):
            told.append(index)
            yield index

    monkeypatch.setattr(slicing.Effects, "providers", counted)
    cells = ["v = 0", *(f"if v:\n    v = {number}" for number in range(100)), "def f(): return v"]
    assert kept(*cells) == [line for cell in cells for line in cell.split("\n")]
    assert len(told) <= 2 * len(cells) + 10


@pytest.mark.parametrize(
    "cell",
    ["def f(): pass\n\\\n\n", "def f(): pass\n\\\nprint(1)", "f = abs \\\n\n", "f = abs\n\\\n\\\n    \n"],
    ids=repr,
)
def test_a_stray_backslash_at_the_end_costs_nothing(cell: str) -> None:
    assert "f" in compile(cut(cell).source, "<slice>", "exec").co_names
    assert "f" in compile(cut(cell, "def f(): return 2").source, "<slice>", "exec").co_names


# --- running the slice is running the notebook --------------------------------------------------------------------

PIECES = [
    "n{a} = {k}",
    "n{a} = n{b} + {k}",
    "n{a} += {k}",
    "n{a} = n{b} = {k}",
    "n{a}, n{b} = n{b}, n{a}",
    "n{a} = len(l{b})",
    "print(n{a} := {k})",
    "m = [n{a} := j for j in range({k})]",
    "if n{a} > {k}: n{b} = {k}",
    "if n{a} > {k}:\n  n{b} = {k}\nelse:\n  n{b} = n{b} - 1",
    "while n{a} < {k}: n{a} += 1; l{b}.append(n{a})",
    "try:\n  n{a} = l{b}[5]\nexcept IndexError:\n  n{a} = {k}",
    "match n{a}:\n  case 1: n{b} = 2\n  case n{a}: n{b} = 3",
    "l{a} = [n{b}]",
    "l{a} = l{b}",
    "l{a} = [n{b} for n{b} in l{a}]",
    "l{a}.append(n{b})",
    "l{a}[0:0] = [n{b}]",
    "l{a} += [n{b}]",
    "del l{a}[:1]",
    "l{a}.extend(l{b}); n{a} = l{b}.pop() if l{b} else {k}",
    "(l{a} if n{b} else l{b}).append({k})",
    "[l{a}.append(j) for j in range(2)]",
    "for n{a} in range(2): l{b}.append(n{a})",
    "for i in (l{a}, l{b}): i.append({k})",
    "for i, n{a} in enumerate(l{b}[:2]): l{a}.append(i)",
    "for i, j in zip((l{a},), (l{b},)): j.append({k})",
    "def g{a}(): l{b}.append(n{a})",
    "def g{a}():\n  global n{b}\n  n{b} += {k}",
    "def g{a}():\n  t = l{b}\n  t.append({k})",
    "g{a} = lambda: l{b}.append(n{a})",
    "g{a}()",
    "n{b} = len([g{a}()])",
    "def h{a}(x, y=0): x.append(n{b})",
    "def h{a}(y, x=0): x.append(y)",
    "def h{a}(x, y=0):\n  x[:] = []",
    "h{a}(l{b}, l{a})",
    "def r{a}(): return l{b}",
    "r{a}().append({k})",
    "l{a} = list(r{b}())",
    "def d{a}(g):\n  l{b}.append(1)\n  return g",
    "@d{a}\ndef g{b}(): pass",
    "class C{a}: k = n{b}",
    "class C{a}:\n  k = n{b}\n  def m(self): l{a}.append(self.k)",
    "C{a}.k = n{b}",
    "setattr(C{a}, 'k', n{b})",
    "for K in (C{a}, C{b}): K.k = {k}",
    "n{a} = C{b}.k",
    "c = C{a}()\nif hasattr(c, 'm'): c.m()",
    "globals()['n{a}'] = n{b}",
    "exec('n{a} = n{b}')",
]
GRADED = [
    "def f():\n  return n{a}, list(l{b})",
    "def f():\n  return [n{a}, l{b}, C{a}.k]",
    "def f():\n  g{a}()\n  return list(l{b})",
    "def f(y=n{a}): return y",
    "def f(y=l{a}): return list(y)",
    "def f(): return r{a}()",
    "f = lambda: (l{a}, n{b})",
]
START = "".join(
    f"n{i} = {i}\nl{i} = [{i}]\ndef g{i}(): pass\ndef h{i}(x, y=0): pass\ndef r{i}(): return l{i}\n"
    f"def d{i}(g): return g\nclass C{i}: k = {i}\n"
    for i in range(3)
)


def filled(texts: list[str]) -> st.SearchStrategy[str]:
    digit = st.integers(0, 2)
    return st.builds(lambda text, a, b, k: text.format(a=a, b=b, k=k), st.sampled_from(texts), digit, digit, digit)


def outcome(source: str) -> str | None:
    """What f returns when `source` has run; None when a statement raised, since then nothing is promised."""
    loaded = load_module(source, "slice_under_test")
    if loaded.problems:
        return None
    try:
        return repr(loaded.module.f())
    except Exception as error:
        return type(error).__name__


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(filled(PIECES), min_size=2, max_size=14), filled(GRADED), st.integers(0, 14))
def test_the_slice_does_what_the_whole_notebook_does(pieces: list[str], graded: str, where: int) -> None:
    whole = [START, *pieces[:where], graded, *pieces[where:]]
    expected = outcome("\n".join(whole))
    if expected is not None:
        assert outcome(cut(*whole).source) == expected
