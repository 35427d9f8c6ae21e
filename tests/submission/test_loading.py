"""Source to module: statement by statement, and whatever a statement does is its own problem."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import sys
from collections.abc import Iterator

import pytest

from autograder.submission.helpers import HelperFinder, module_of
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


# --- what a notebook finds in a kernel ----------------------------------------------------------------------------


def test_statements_may_await_on_one_loop() -> None:
    """What is made in one statement's loop can be awaited in the next; what fails is that statement's problem."""
    loaded = load(
        "import asyncio\nlock = asyncio.Lock()\nawait lock.acquire()\nx = await asyncio.sleep(0, 3)\n"
        "async def g():\n    yield 1\ny = [n async for n in g()]\nz = await missing\nw = lock.locked()"
    )
    assert loaded.problems == ("Line 8: NameError: name 'missing' is not defined",)
    assert (loaded.module.x, loaded.module.y, loaded.module.w) == (3, [1], True)


def test_without_await_there_is_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a loop was made")

    monkeypatch.setattr("asyncio.events.new_event_loop", refuse)
    assert load("async def f(): pass\nx = 1").problems == ()


def test_display_and_the_shell_are_there_and_do_nothing() -> None:
    loaded = load(
        "display(1, raw=True)\nshell = get_ipython()\nshell.system('ls')\nshell.events.register('post_run_cell', print)\n"
        "shell.ast_node_interactivity = 'all'\nlines = shell.getoutput('ls')\nwhere = shell.run_line_magic('pwd', '')\n"
        "took = shell.run_line_magic('timeit', '-o 1').best\nname = type(shell).__name__\nsame = get_ipython() is shell\n"
        "shell.user_ns['y'] = 2\nz = y\nvalue = shell.run_line_magic('env', 'NOBODY_SETS_IT')\nkept = shell.kernel.busy"
    )
    assert loaded.problems == ()
    found = vars(loaded.module)
    names = ("lines", "took", "name", "same", "z", "value")
    assert [found[name] for name in names] == [[], 0.0, "ZMQInteractiveShell", True, 2, None]
    assert found["where"]


def test_an_import_that_fails_leaves_display_as_it_is() -> None:
    loaded = load("from no_such_package import display\ndef f(): return display(1)")
    assert len(loaded.problems) == 1
    assert loaded.module.f() is None


def test_late_annotations_may_name_what_is_not_there() -> None:
    """Those that can be evaluated are, as they would be where somebody asks for them."""
    source = "def f(x: Missing) -> int: return 1\nclass A:\n    y: Missing\n    def g(self: A): return 2\ndef h(x: int): return 3"
    assert len(load(source).problems) == 2
    module = load_module(source, "answer", late_annotations=True).module
    assert (module.f(1), module.A().g(), module.h.__annotations__) == (1, 2, {"x": int})


def test_with_late_annotations_other_mistakes_are_mistakes_and_happen_once() -> None:
    source = "count = 0\ndef d(f):\n    global count\n    count += 1\n    return missing\n@d\ndef f(x: int): pass\ny = missing"
    loaded = load_module(source, "answer", late_annotations=True)
    assert [problem.partition(":")[0] for problem in loaded.problems] == ["Line 5", "Line 8"]


# --- helpers ------------------------------------------------------------------------------------------------------


def helped(source: str, **helpers: str) -> LoadedModule:
    """Load `source` beside helper files; "pkg__mod" stands for pkg/mod.py."""
    return load_module(source, "answer", {f"{name.replace('__', '/')}.py": text for name, text in helpers.items()})


def test_a_helper_is_imported_with_its_source() -> None:
    loaded = helped(
        "import helper_one as h\nimport inspect\nx = h.f()\ntext = inspect.getsource(h.f)\nname = h.__name__",
        helper_one="'''doc'''\nfrom __future__ import annotations\ndef f(a: Missing = '\u2028'): return len(a)\n",
    )
    assert loaded.problems == ()
    assert (loaded.module.x, loaded.module.name) == (1, "helper_one")
    assert loaded.module.text == "def f(a: Missing = '\u2028'): return len(a)\n"


def test_a_folder_of_helpers_is_a_package_with_and_without_init() -> None:
    files = {"one/inner/deep.py": "x = 1", "two/__init__.py": "from .sub import y", "two/sub.py": "y = 2"}
    source = "from one.inner.deep import x\nimport two\nfrom two import sub\ny, z = two.y, sub.y"
    loaded = load_module(source, "answer", files)
    assert loaded.problems == ()
    assert (loaded.module.x, loaded.module.y, loaded.module.z) == (1, 2, 2)


def test_a_helper_in_a_folder_of_the_path_is_found_by_its_own_name() -> None:
    loaded = helped(
        "import sys\nsys.path.append('src')\nfrom tool_two import x\nimport src.tool_two", src__tool_two="x = 3"
    )
    assert (loaded.problems, loaded.module.x) == ((), 3)
    sys.path.remove("src")


@pytest.mark.parametrize("name", ["wave", "torch", "autograder", "autograder__records"])
def test_a_helper_shadows_nothing_that_is_installed(name: str) -> None:
    """Not even what is imported for the first time, as `wave` is."""
    module = name.replace("__", ".")
    loaded = helped(f"import {module} as m\nx = getattr(m, 'HELPER', 0)", **{name: "HELPER = 1"})
    assert (loaded.problems, loaded.module.x) == ((), 0)


def test_a_helper_that_fails_is_the_problem_of_who_imports_it() -> None:
    loaded = helped(
        "x = 1\nimport broken_a\nfrom broken_b import x", broken_a="y = (", broken_b="raise ValueError('no')"
    )
    assert loaded.problems == ("Line 2: SyntaxError: '(' was never closed", "Line 3: ValueError: no")


def test_each_submission_has_its_own_helpers() -> None:
    assert helped("import tool_three\nx = tool_three.x", tool_three="x = 1").module.x == 1
    assert helped("import tool_three\nx = tool_three.x", tool_three="x = 2").module.x == 2
    assert helped("import tool_three").problems == ("Line 1: ModuleNotFoundError: No module named 'tool_three'",)
    assert not [finder for finder in sys.meta_path if isinstance(finder, HelperFinder)]


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("a.py", "a"),
        ("./a.py", "a"),
        ("/content/lib/a_b.py", "lib.a_b"),
        ("lib/__init__.py", "lib"),
        ("my-file.py", ""),
        ("a.txt", ""),
        ("../a.py", ""),
        ("/etc/a.py", ""),
        ("C:\\\\a.py", ""),
    ],
)
def test_which_files_can_be_imported(file: str, module: str) -> None:
    assert module_of(file) == module
