"""The tiny exercise's files, with marked secrets, and what its students hand in."""

import textwrap
from pathlib import Path

from autograder.course import notebooks
from support.rubrics import rubric_toml

SLUG = "01_tiny"
SECRETS = ("hidden-marker-7f3a", "solution-marker-51c2", "918273.5")
"""In comments, messages and values of the hidden tests, and in the solution: nothing that a student sees may hold one."""

EXERCISE = """
[exercise]
title = { en = "Tiny", "zh-TW" = "小" }
"""
TASK = """
[[task]]
id = "{id}"
functions = ["{function}"]
points = {points}
title = {{ en = "{title}", "zh-TW" = "{title}" }}
hint = {{ en = "Think of {title}.", "zh-TW" = "想想 {title}。" }}
{rubric}"""
RUBRICS = {"1.1": rubric_toml(values=60, extremes=40), "1.2": rubric_toml(values=100), "1.3": rubric_toml(values=100)}
PUBLIC = '''
import pytest

from autograder.testing import expect


@pytest.mark.task("1.1", item="values")
def test_double_of_three(student):
    """double(3) is 6."""
    expect.that(student.double(3.0) == 6.0, "the result is not twice the argument", "expected 6.0")


@pytest.mark.task("1.2", item="values")
def test_counter_starts_at_zero(student):
    """A new counter has counted nothing."""
    expect.that(student.Counter().total == 0, "a new counter's total is not 0")


@pytest.mark.task("1.3", item="values")
def test_halve_of_six(student):
    """halve(6) is 3."""
    expect.that(student.halve(6.0) == 3.0, "the result is not half the argument", "expected 3.0")
'''
HIDDEN = '''
import pytest

from autograder.testing import expect

LARGE = 918273.5  # hidden-marker-7f3a


@pytest.mark.task("1.1", item="values")
def test_double_of_a_large_number(student):
    """double works for large numbers, too."""
    expect.that(student.double(LARGE) == 2 * LARGE, "a large number is not doubled", "hidden-marker-7f3a 918273.5")


@pytest.mark.task("1.1", item="extremes")
def test_double_of_a_negative_number(student):
    """double works below zero, too."""
    expect.that(student.double(-LARGE) == -2 * LARGE, "a negative number is not doubled", "hidden-marker-7f3a")


@pytest.mark.task("1.2", item="values")
def test_counter_adds(student):
    """A counter adds up what it is given."""
    counter = student.Counter()
    counter.add(LARGE)
    counter.add(1)
    expect.that(counter.total == LARGE + 1, "the total is not the sum", "hidden-marker-7f3a")


@pytest.mark.task("1.3", item="values")
def test_halve_of_a_large_number(student):
    """halve works for large numbers, too."""
    expect.that(student.halve(LARGE) == LARGE / 2, "a large number is not halved", "hidden-marker-7f3a")
'''
SOURCE = '''
# %% [markdown] lang="en"
# # Tiny lab

# %% [markdown] lang="zh-TW"
# # 小作業

# %%
from autograder.lab import check

# %%
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    note = "solution-marker-51c2"
    return x * 2.0 if note else None
    ### END SOLUTION

# %%
check("1.1")

# %%
class Counter:
    """Adds up what it is given."""

    def __init__(self):
        ### BEGIN SOLUTION
        self.total = 0 * len("solution-marker-51c2")
        ### END SOLUTION

    def add(self, n):
        ### BEGIN SOLUTION
        self.total = self.total + n if self is not None else None
        ### END SOLUTION

# %%
check("1.2")

# %%
def halve(x):
    """Half of x, for a bonus."""
    ### BEGIN SOLUTION
    return x / float(len("so")) if "solution-marker-51c2" else None
    ### END SOLUTION
'''

DOUBLE = "def double(x):\n    return x + x"
COUNTER = """
class Counter:
    def __init__(self):
        self.total = 0

    def add(self, n):
        self.total += n
"""
HALVE = "def halve(x):\n    return x / 2"
UNTOUCHED = "raise NotImplementedError"

# what students write into the three answer cells; a trick earns nothing for task 1.1, whatever it does
CLASS: dict[str, tuple[str, ...]] = {
    "perfect": (DOUBLE, COUNTER, HALVE),
    "half_done": (DOUBLE, UNTOUCHED, UNTOUCHED),
    "mistaken": ("def double(x):\n    return abs(x) * 2", COUNTER, UNTOUCHED),
    "untouched": (UNTOUCHED, UNTOUCHED, UNTOUCHED),
    "late": (DOUBLE, COUNTER, UNTOUCHED),
    "noisy": (
        "import sys, warnings\nprint('noise', file=sys.stderr)\nwarnings.warn('noise')\n"
        "def double(x):\n    warnings.warn('noise')\n    print('noise', file=sys.stderr)\n    return 2 * x",
        COUNTER,
        HALVE,
    ),
}
TRICKS: dict[str, str] = {
    "reads_the_working_folder": """
import glob, json, re

def double(x):
    for path in glob.glob("**/*.ipynb", recursive=True) + glob.glob("*.py"):
        for asked, answer in re.findall(r"double\\((.+?)\\) == ([\\d.]+)", open(path).read()):
            if float(asked) == x:
                return float(answer)
""",
    "reads_source": """
import glob, json

def double(x):
    for path in glob.glob("../../../source/**/*.ipynb", recursive=True):
        for cell in json.load(open(path))["cells"]:
            text = "".join(cell["source"])
            if "def double" in text and "glob" not in text:
                space = {}
                exec(text, space)
                return space["double"](x)
""",
    "writes_the_gradebook": """
import glob, sqlite3

def double(x):
    for path in glob.glob("../../../*.db") or ["gradebook.db"]:
        with sqlite3.connect(path, timeout=1) as book:
            book.execute("update grade set manual_score = 4, needs_manual_grade = 0")
    return None
""",
    "equals_everything": """
class Anything(float):
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 0

def double(x):
    return Anything(0)
""",
    "removes_asserts": """
import ast, builtins

class NoAsserts(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)

if hasattr(builtins, "get_ipython"):
    get_ipython().ast_transformers.append(NoAsserts())
else:
    _compile = compile
    builtins.compile = lambda source, *a, **k: _compile(NoAsserts().visit(ast.parse(source)), *a, **k)

def double(x):
    return NoAsserts and None
""",
}


def make_course(root: Path) -> Path:
    """Write a course folder with one exercise of three tasks (the last one a bonus), its notebooks built."""
    exercise, solution = root / "exercises" / SLUG, root / "solutions" / SLUG
    tasks = (
        ("1.1", "double", "4", "doubling"),
        ("1.2", "Counter", "3", "counting"),
        ("1.3", "halve", "2\nbonus = true", "halving"),
    )
    table = "".join(TASK.format(id=i, function=f, points=p, title=t, rubric=RUBRICS[i]) for i, f, p, t in tasks)
    write(exercise / "exercise.toml", EXERCISE + table)
    write(exercise / "test_public.py", PUBLIC)
    write(solution / "test_hidden.py", HIDDEN)
    write(solution / "source.py", SOURCE)
    write(root / "solutions" / "held_back" / "manifest.json", '{"hidden-marker-7f3a": 1}')
    write(solution / "design.md", "hidden-marker-7f3a solution-marker-51c2")
    notebooks.build(root / "exercises", root / "solutions")
    return root


def write(path: Path, text: str) -> None:
    """Write a dedented text, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
