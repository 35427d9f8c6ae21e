"""Source to module: statement by statement, and whatever a statement does is its own problem."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import sys
from collections.abc import Iterator

import pytest

from autograder.submission.loading import LoadedModule, load_module


@pytest.fixture(autouse=True)
def no_module_left() -> Iterator[None]:
    yield
    sys.modules.pop("answer", None)


def load(source: str) -> LoadedModule:
    return load_module(source, "answer")


def test_the_module_is_registered_under_its_name() -> None:
    module = load("x = 1\nname = __name__\nmain = __name__ == '__main__'").module
    assert sys.modules["answer"] is module
    assert (module.x, module.name, module.main) == (1, "answer", False)


def test_each_load_starts_with_nothing() -> None:
    load("x = 1")
    assert not hasattr(load("y = 2").module, "x")


def test_a_statement_that_raises_costs_only_itself() -> None:
    loaded = load("a = 1\nb = missing\nc = 3")
    assert loaded.problems == ("Line 2: NameError: name 'missing' is not defined",)
    assert (loaded.module.a, loaded.module.c) == (1, 3)
    assert not hasattr(loaded.module, "b")


def test_a_problem_names_the_cell() -> None:
    loaded = load("# ptqlab: cell 2\nx = 1\n# ptqlab: cell 5\n\ny = x / 0\n")
    assert loaded.problems == ("Cell 5, line 2: ZeroDivisionError: division by zero",)


def test_a_problem_names_the_line_in_the_students_function() -> None:
    loaded = load("def f(x):\n    y = x\n    return y.missing\nf(1)\n")
    assert loaded.problems == ("Line 3: AttributeError: 'int' object has no attribute 'missing'",)


def test_a_problem_in_a_library_names_the_students_line() -> None:
    loaded = load("import json\nx = 1\n\njson.loads(\n  '{')\n")
    assert loaded.problems[0].startswith("Line 4: JSONDecodeError: Expecting property name")


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        ("SystemExit(3)", "SystemExit: 3"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("GeneratorExit('g')", "GeneratorExit: g"),
        ("type('Own', (BaseException,), {})('mine\\nsecond line')", "Own: mine"),
        ("ValueError('x' * 1000)", f"ValueError: {'x' * 300}"),
        (
            "type('Broken', (Exception,), {'__str__': lambda self: 1 / 0})()",
            "Broken (whose text cannot be shown)",
        ),
    ],
)
def test_whatever_is_raised_is_a_problem(raised: str, words: str) -> None:
    loaded = load(f"raise {raised}\nx = 1")
    assert loaded.problems == (f"Line 1: {words}",)
    assert loaded.module.x == 1


def test_many_problems_are_counted_not_listed() -> None:
    problems = load("missing\n" * 24).problems
    assert len(problems) == 21
    assert problems[-1] == "… and 4 more statements that raised."


def test_source_that_does_not_parse_is_one_problem() -> None:
    loaded = load("x = 1\ny = (\n")
    assert loaded.problems == ("Line 2: SyntaxError: '(' was never closed",)
    assert not hasattr(loaded.module, "x")


def test_source_with_a_null_byte_or_nested_too_deeply_is_one_problem() -> None:
    assert load("x = '\0'").problems == ("Line 1: SyntaxError: source code string cannot contain null bytes",)
    (problem,) = load("x = " + "-" * 100_000 + "1").problems
    assert problem.startswith("Line 1: ")


def test_a_statement_that_does_not_compile_is_its_own_problem() -> None:
    loaded = load("x = 1\nreturn x\ny = 2")
    assert loaded.problems == ("Line 2: SyntaxError: 'return' outside function",)
    assert loaded.module.y == 2


def test_future_imports_hold_for_what_follows() -> None:
    loaded = load("def f(x: int): pass\nfrom __future__ import annotations\ndef g(x: Missing): pass")
    assert loaded.problems == ()
    assert loaded.module.f.__annotations__ == {"x": int}
    assert loaded.module.g.__annotations__ == {"x": "Missing"}


def test_only_future_imports_change_the_grammar() -> None:
    assert len(load("from json import annotations\ndef f(x: Missing): pass").problems) == 2
    loaded = load("from __future__ import nothing\nx = 1")
    assert loaded.problems == ("Line 1: SyntaxError: future feature nothing is not defined",)
    assert loaded.module.x == 1


def test_our_own_future_imports_do_not_leak_into_the_students_code() -> None:
    assert load("def f(x: Missing): pass").problems == ("Line 1: NameError: name 'Missing' is not defined",)


def test_source_code_can_be_asked_for() -> None:
    module = load("x = 1\n\ndef f():\n    return '\x0c'  # here\n\nclass A:\n    def g(self): ...\n").module
    assert inspect.getsource(module.f) == "def f():\n    return '\x0c'  # here\n"
    assert inspect.getsource(module.A) == "class A:\n    def g(self): ...\n"


def test_dataclasses_and_pickling_by_reference_work() -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, KW_ONLY\nfrom typing import ClassVar\n"
    )
    module = load(
        f"{source}@dataclass\nclass P:\n    n: ClassVar[int] = 3\n    x: int = 1\n    _: KW_ONLY\n    y: int = 2\n"
    ).module
    assert [field.name for field in dataclasses.fields(module.P)] == ["x", "y"]
    assert pickle.loads(pickle.dumps(module.P)) is module.P


def test_an_invalid_escape_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    assert load("x = '\\d'\ny = x is 'd'").problems == ()
    assert not recwarn.list
