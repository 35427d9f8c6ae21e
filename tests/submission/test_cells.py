"""Cells become Python by the rules of IPython's own transformer; what is said of pieces that are left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.submission import newer_python
from autograder.submission.cells import parse_notebook, parse_script
from autograder.submission.pieces import ANYTHING, Cell
from autograder.submission.slicing import locate, slice_cells

PLAIN = [
    "x = 1",
    "y = (1,\n     2)",
    "z = '''\n%time\n!ls\n'''",
    "",
    "# text",
    "\\\n",
    "print(x)",
    "u = 100 \\\n % 7",
]
MAGIC = [
    "%cd ..",
    "!ls -la",
    "?x",
    "x?",
    "x.y??",
    "%%x?",
    "!!ls",
    "%timeit -n 1 x = 2",
    "!echo \\\n  b",
]
ASSIGNED = ["a = !ls", "b, c = %pwd", "d[0].e = ! ls -a", "f = %sql select \\\n  1"]
CALLED = [",print a b", ";print a b", "/print x y", "/print"]
BLOCKS = [
    "if x:\n    {}\nelse:\n    {}",
    "def f():\n    {}\n    return 1",
    "for i in x:\n\n    {}",
    "try:\n    {}\nexcept E:\n    pass",
]


def pieces() -> st.SearchStrategy[str]:
    simple = st.sampled_from([*PLAIN, *MAGIC, *ASSIGNED, *CALLED])
    lines = st.sampled_from(
        [*(text for text in PLAIN if "\n" not in text and text.strip("#")), *MAGIC[:5], *ASSIGNED[:2], *CALLED]
    )
    inner = lines.filter(lambda text: text not in ("", "# text"))
    blocks = st.builds(lambda block, one, two: block.format(one, two), st.sampled_from(BLOCKS), inner, inner)
    return simple | blocks


def words_to_ipython(node: ast.AST) -> bool:
    """Whether a statement is what IPython makes of a line that has no value."""
    called = node.value.func if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
    return isinstance(called, ast.Attribute) and "get_ipython()" in ast.unparse(called)


class WithoutWords(ast.NodeTransformer):
    """Takes words to IPython for `pass`, which they are to the grader."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return ast.Pass() if words_to_ipython(node) else super().generic_visit(node)


def tree(source: str) -> str:
    """A module's statements; `pass` at the top level is nothing."""
    module = WithoutWords().visit(ast.parse(source))
    return ast.dump(ast.Module([node for node in module.body if not isinstance(node, ast.Pass)], []))


def by_ipython(source: str) -> str | None:
    """The tree of what IPython would run; None when it would not."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return tree(TransformerManager().transform_cell(source))
    except SyntaxError:
        return None


def by_the_grader(source: str) -> str:
    cells, _ = parse_notebook([source])
    assert [cell.source.count("\n") for cell in cells if not cell.left_out] in ([], [source.count("\n")]), "lines moved"
    return tree("\n".join(cell.source for cell in cells))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(pieces(), min_size=1, max_size=6))
def test_magics_become_what_ipython_makes_of_them(parts: list[str]) -> None:
    """Where IPython finds Python, so does the grader, and it is the same; every line keeps its number."""
    source = "\n".join(parts)
    expected = by_ipython(source)
    if expected is not None:
        assert by_the_grader(source) == expected


def prompted(statements: list[str], style: str) -> Iterator[str]:
    for number, text in enumerate(statements, start=1):
        first, *more = text.split("\n")
        start, goes_on = {"ipython": (f"In [{number}]: ", "   ...: "), "python": (">>> ", "... ")}[style]
        yield "\n".join([start + first, *(goes_on + line for line in more)])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(["x = 1", "def f():\n    return 2", "x", "%cd ..", "y = [1,\n     2]"]), min_size=1),
    st.sampled_from(["ipython", "python"]),
)
def test_pasted_prompts_go_as_ipython_takes_them(statements: list[str], style: str) -> None:
    source = "\n".join(prompted(statements, style))
    assert by_the_grader(source) == by_ipython(source) == by_ipython("\n".join(statements))


@pytest.mark.parametrize("output", ["Out[2]: tensor([1., 2.],\n        dtype=torch.float64)", "words of no language"])
def test_the_outputs_of_a_pasted_session_go(output: str) -> None:
    """Also where they are no Python, in which case a kernel would refuse the cell."""
    classic = f">>> x = 1\n>>> x\n{output}\n\n>>> def f():\n...     return x\n"
    ours = f"In [1]: x = 1\n\nIn [2]: x\n{output}\n\nIn [3]: def f():\n   ...:     return x\n"
    for text in (ours if output.startswith("Out") else classic,):
        (cell,), notes = parse_notebook([text])
        assert (notes, tree(cell.source)) == ((), tree("x = 1\nx\ndef f():\n    return x"))


# --- cell magics --------------------------------------------------------------------------------------------------


def only(*sources: str) -> tuple[Cell, ...]:
    cells, notes = parse_notebook(sources)
    assert notes == ()
    return cells


def test_a_cell_magic_that_nobody_knows_is_taken_for_python_with_a_word() -> None:
    (cell,), notes = parse_notebook(["%%my_timer --loud\ndef f(): return 1"])
    assert cell.source == "\ndef f(): return 1"
    assert notes == ("Cell 1 begins with %%my_timer (line 1): the rest of it is taken as Python.",)


def test_a_cell_magic_over_what_is_no_python_is_no_python() -> None:
    _, notes = parse_notebook(["%%my_language\nlet f = 1;", "%%html\n<b>x = 1</b>", "%%!\nls"])
    assert notes == (
        "Cell 1 begins with %%my_language, which is no Python (line 1): what it defines is not graded.",
        "Cell 2 begins with %%html, which is no Python (line 1): what it defines is not graded.",
        "Cell 3 begins with %%, which is no Python (line 1): what it defines is not graded.",
    )


def test_methods_are_added_to_a_class_in_a_later_cell() -> None:
    """%%add_to is a class that goes on; strings and continued lines of the cell stay as they are."""
    body = "# more\nTEXT = '''\na\n'''\n\n@property\ndef m(self,\n  n=1):\n    return (self,\nn)\n%time\n"
    (cell,) = only(f"%%add_to A\n{body}")
    namespace: dict[str, type] = {"A": type("A", (), {"old": 1})}
    exec(cell.source, namespace)
    made = namespace["A"]()
    assert (made.old, made.TEXT, made.m) == (1, "\na\n", (made, 1))
    assert only("%%add_to A\n")[0].source.strip() == ""
    exec(only("%%add_to A\n# nothing yet")[0].source, namespace)


# --- files that cells write ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("magic", "name", "appends"),
    [
        ("%%writefile a.py", "a.py", False),
        ("%%file a.py", "a.py", False),
        ("%%writefile -a sub/a.py", "sub/a.py", True),
        ("%%writefile a.py --append", "a.py", True),
        ("%%writefile 'a b.py'", "a b.py", False),
    ],
)
def test_a_cell_that_writes_a_file_is_set_apart(magic: str, name: str, appends: bool) -> None:
    """Its text is not read as Python of the notebook's: it may be any text."""
    (cell,) = only(f"\n{magic}\nx = (\n")
    assert cell.file is not None
    assert (cell.file.name, cell.file.text, cell.file.appends, cell.file.line) == (name, "x = (\n", appends, 2)


def test_a_file_that_no_cell_writes_may_have_defined_anything() -> None:
    """%run of a file that isn't there: what nothing else binds may have stood in it."""
    cells, notes = parse_notebook(["x = 1\n%run ./answers.py\ny = 2", "def f(): return g(x)"])
    assert notes == (
        "Cell 1 runs ./answers.py, which none of the cells above writes (line 2): what it defines is not graded.",
    )
    assert [cell.left_out.binds for cell in cells if cell.left_out] == [ANYTHING]
    assert slice_cells(cells, ["f"]).lost == {"f": notes}
    assert slice_cells(cells, ["x"]).lost == {}


def test_a_module_that_is_run_is_no_file() -> None:
    assert [cell.source for cell in only("%run -m pytest\nx = 1")] == ["pass\nx = 1"]


def test_a_file_that_is_run_stands_in_the_cell_that_wrote_it() -> None:
    """So a mistake in it is told with the line in which it stands."""
    cells = only("%%writefile a.py\nx = 1\ny = x / 0", "a = 1\n%run a.py\nb = 2")
    part = slice_cells(cells, ["a", "b", "y"])
    assert part.source.split("\n") == [
        *("# ptqlab: cell 2", "a = 1"),
        *("# ptqlab: cell 1", "", "x = 1", "y = x / 0"),
        *("# ptqlab: cell 2", "", "", "b = 2", ""),
    ]


# --- scripts ------------------------------------------------------------------------------------------------------

EXPORTED = r"""
# In[1]:

x = 1

# In[2]:


get_ipython().run_cell_magic('time', '', 'def f():\n    return g()\n')

# In[3]:


get_ipython().run_cell_magic('writefile', 'helper.py', 'def h(): return 2\n\n\n# more\n')

# In[4]:

get_ipython().run_line_magic('env', 'NUMBER=3')
get_ipython().run_line_magic('run', 'helper.py')
def g(): return h() + x + int(os.environ["NUMBER"])
"""


def test_cell_magics_in_a_script_that_nbconvert_made_are_cells_again() -> None:
    cells, notes = parse_script(EXPORTED)
    assert notes == ()
    part = slice_cells(cells, ["f", "g", "h"])
    namespace: dict[str, object] = {}
    exec(part.source, namespace)
    assert namespace["f"]() == 6  # type: ignore[operator]
    lines = part.source.split("\n")
    at = next(number for number, line in enumerate(lines, start=1) if line.startswith("def g()"))
    assert locate(part.source, at) == "line 20", "the numbers of the file's lines go on below the text that is run"


def test_a_magic_between_broken_statements_of_a_script_is_mended() -> None:
    cells, notes = parse_script("%cd ..\ndef f(:\n    pass\n%time x = 1\ndef g(): return x\n!ls\n")
    assert [note.partition(":")[0] for note in notes] == ["The code from line 2 on does not parse (line 2"]
    assert tree("\n".join(cell.source for cell in cells)) == tree("x = 1\ndef g(): return x")


# --- what is left out ---------------------------------------------------------------------------------------------


def test_the_names_of_broken_code_are_read_off_its_lines() -> None:
    broken = "import os.path as p\nfrom m import a\n@d\ndef f(x):\n    y = 1\nclass C:\n    z = 2\nu, v = 1, 2\nw: int = 3\nif u:\n    t = 1\n(\n"
    cells, notes = parse_notebook([broken])
    assert [cell.left_out.binds for cell in cells if cell.left_out] == [frozenset("p a f C u v w t".split())]
    assert slice_cells(cells, ["f", "g"]).lost == {"f": notes}


def test_broken_code_that_was_written_again_costs_nothing() -> None:
    cells, notes = parse_notebook(["def f(:\n    pass", "def f(): return 1"])
    assert len(notes) == 1
    assert slice_cells(cells, ["f"]).lost == {}


@pytest.fixture
def ours_is_311(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer_python, "OURS", (3, 11))


@pytest.mark.usefixtures("ours_is_311")
def test_of_a_cell_for_a_newer_python_only_the_new_statements_go() -> None:
    cell = "def f(): return 1\nfor t in '''\nnew\n''':\n    pass\ndef g[T](x: T): return h(x)\ndef h(x): return x\n"
    cells, notes = parse_notebook(["(", cell], "3.13.0", lambda source, claimed: "3.12" if "[T]" in source else "")
    assert notes == (
        "Cell 1 does not parse (line 1: '(' was never closed): what it defines is not graded.",
        "Cell 2 needs Python 3.12 (line 6): what it defines is not graded.",
    )
    part = slice_cells(cells, ["f", "g", "h"], "3.13.0")
    assert "def f()" in part.source
    assert part.needs_python == {"g": ("3.12", "cell 2, line 6")}


@pytest.mark.usefixtures("ours_is_311")
def test_nobody_is_asked_about_a_cell_of_the_same_python() -> None:
    def ask(source: str, claimed: str) -> str:
        raise AssertionError(f"asked about {source!r}")

    for claimed in ("", "3.11.9", "3.9", "2.7.18", "R 4.1"):
        _, notes = parse_notebook(["def g[T](x: T): pass"], claimed, ask)
        assert notes[0].startswith("Cell 1 does not parse")
