"""What stands in the way of a graded name is told of that name alone: packages, Pythons, names, pieces left out."""

from __future__ import annotations

import pytest

from autograder.submission import newer_python
from autograder.submission.cells import parse_notebook, parse_script
from autograder.submission.slicing import Slice, slice_cells

HERE = frozenset(("torch", "collections", "json", "itertools", "os", "contextlib", "importlib", "typing"))


@pytest.fixture(autouse=True)
def ours_is_311(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer_python, "OURS", (3, 11))


def cut(*sources: str, claimed: str = "", wanted: tuple[str, ...] = ("f", "g")) -> Slice:
    return slice_cells(parse_notebook(sources)[0], wanted, claimed, HERE)


# --- packages -----------------------------------------------------------------------------------------------------


def test_an_absent_package_is_told_of_what_it_binds_and_of_what_depends_on_it() -> None:
    part = cut("import json\nimport pandas as pd", "def h(): return pd", "def f(): return h()", "def g(): return json")
    assert part.absent == {"pd": ("pandas", "cell 1, line 2"), "f": ("pandas", "cell 1, line 2")}
    assert part.lost == {"f": ("pandas isn't available to the grader; imported in cell 1.",)}


@pytest.mark.parametrize(
    ("source", "package", "line"),
    [
        ("from einops import rearrange as r\ndef f(): return r", "einops", 1),
        ("import sklearn.metrics\ndef f(): return sklearn", "sklearn", 1),
        ("def f():\n    import pandas\n    return pandas", "pandas", 2),
        ("class f:\n    def g(self):\n        from cv2.x import y", "cv2", 3),
        ("@d\n\ndef f():\n    import pandas", "pandas", 4),
    ],
)
def test_an_import_is_missed_wherever_it_stands(source: str, package: str, line: int) -> None:
    assert cut("x = 1", source).absent["f"] == (package, f"cell 2, line {line}")


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import pandas as pd\nexcept ImportError:\n    pd = None",
        "try:\n    import pandas as pd\nexcept (KeyError, ModuleNotFoundError) as error:\n    pd = None",
        "try:\n    import pandas as pd\nexcept:\n    pd = None",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import pandas as pd",
        "import importlib\nif importlib.util.find_spec('pandas'):\n    import pandas as pd",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas as pd",
        "from . import pd",
        "from torch import pd",
    ],
)
def test_an_import_that_the_code_can_do_without_is_not_missed(source: str) -> None:
    part = cut(source, "def f(): return pd")
    assert (part.absent, part.lost) == ({}, {})


def test_an_import_that_nothing_graded_needs_is_not_missed() -> None:
    assert cut("import pandas as pd\ndata = pd.DataFrame()", "def f(): return 1").absent == {}


def test_without_a_list_of_what_is_installed_nothing_is_missed() -> None:
    assert slice_cells(parse_notebook(["import pandas\ndef f(): return pandas"])[0], ["f"]).absent == {}


def test_an_import_in_a_helper_is_missed_and_the_helper_is_not() -> None:
    part = cut(
        "%%writefile tool.py\nimport json\n\nfrom einops import rearrange",
        "from tool import rearrange",
        "def f(): return rearrange",
    )
    assert part.absent == {"rearrange": ("einops", "cell 1, line 4"), "f": ("einops", "cell 1, line 4")}


def test_in_a_script_the_place_is_a_line_of_the_file() -> None:
    cells, _ = parse_script("# text\n\nimport pandas\ndef f(): return pandas\n%time\n")
    assert slice_cells(cells, ["f"], "", HERE).absent["f"] == ("pandas", "line 3")


# --- the standard library of another Python -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from itertools import batched\ndef f(): return batched", 1),
        ("import itertools as it\ndef f():\n    return it.batched('ab', 1)", 3),
        ("def f():\n    import itertools\n    return [*itertools.batched('ab', 1)]", 3),
        ("import collections.abc\ndef f(x: collections.abc.Buffer): return x", 2),
        ("import collections.abc as c\ndef f(x: c.Buffer): return x", 2),
    ],
)
def test_what_a_newer_library_has_needs_the_newer_python(source: str, line: int) -> None:
    part = cut("", "x = 1", source, claimed="3.12.4")
    assert part.needs_python == {"f": ("3.12", f"cell 2, line {line}")}
    assert part.absent == {}
    assert part.lost == {"f": (f"Cell 2, line {line} needs Python 3.12; the grader runs 3.11.",)}


def test_a_newer_module_is_no_absent_package() -> None:
    source = "import annotationlib\ndef f(): return annotationlib"
    assert cut(source, claimed="3.14.0").needs_python == {"f": ("3.14", "cell 1, line 1")}
    assert cut(source, claimed="3.13.0").absent["f"] == ("annotationlib", "cell 1, line 1")


def test_the_newest_python_that_a_name_needs_is_told() -> None:
    source = "from itertools import batched\nimport annotationlib\ndef f(): return batched, annotationlib\ndef g(): return batched"
    assert cut(source, claimed="3.14.0").needs_python == {
        "f": ("3.14", "cell 1, line 2"),
        "g": ("3.12", "cell 1, line 1"),
    }


def test_a_name_of_the_students_own_is_no_library() -> None:
    assert cut("class itertools: batched = 1\ndef f(): return itertools.batched", claimed="3.12.0").needs_python == {}


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        (("def f(n=BITS): return n", "BITS = 8"), "Cell 1, line 1 uses BITS, which is bound below, in cell 2."),
        (("x = 1\ny = BITS", "def f(): return y"), "Cell 1, line 2 uses BITS, which nothing binds."),
        (("1 + 1", "y = _", "def f(): return y"), "Cell 2, line 1 uses _, which only a running notebook has."),
        (("y = Out[1]\ndef f(): return y",), "Cell 1, line 1 uses Out, which only a running notebook has."),
    ],
)
def test_a_name_that_is_not_bound_yet_is_told_of_what_depends_on_it(sources: tuple[str, ...], why: str) -> None:
    assert cut(*sources, "def g(): return 1").lost == {"f": (why,)}


@pytest.mark.parametrize(
    "sources",
    [
        ("from torch import *", "def f(n=BITS): return n"),
        ("exec('BITS = 8')", "def f(n=BITS): return n"),
        ("def set_up():\n    global BITS\n    BITS = 8", "set_up()", "def f(n=BITS): return n"),
        ("try:\n    BITS\nexcept NameError:\n    BITS = 8", "def f(n=BITS): return n"),
        ("def f(n=__name__, m=__file__, s=get_ipython()): return BITS",),
        ("for BITS in range(9): pass", "def f(n=BITS): return n"),
        ("def f(n=len, m=[i for i in ()]): return n",),
    ],
)
def test_a_name_that_may_be_bound_is_not_spoken_of(sources: tuple[str, ...]) -> None:
    assert cut(*sources).lost == {}


def test_late_annotations_may_name_what_is_bound_below() -> None:
    sources = "def f(x: Level): return x", "class Level: pass"
    assert cut(*sources, claimed="3.14.0").lost == {}
    assert list(cut(*sources, claimed="3.13.0").lost) == ["f"]
