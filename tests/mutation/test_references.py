"""First-order mutants of a reference: what is changed, where it is put, and what is remembered."""

from __future__ import annotations

import json

import pytest
from mutation import references
from mutation.mutants import Mutant, _bare, _changed_defaults, _deleted_statements, mutants_of
from mutation.references import Results, in_place


@pytest.fixture
def mutant() -> Mutant:
    """A function that returns something else."""
    return Mutant("f", "NumberReplacer", "def f():\n    return 1", "def f():\n    return 2")


def test_each_statement_is_deleted_but_definitions():
    """A mutant lacks one statement, at any depth; a definition inside stays."""
    text = "def f(x):\n    if x:\n        x = 2\n    def g():\n        return 1\n    return x"
    changed = [new for _, new in _deleted_statements(text)]
    assert len(changed) == 4
    assert sum("def g" in new for new in changed) == 4
    assert sum("x = 2" not in new for new in changed) == 2  # alone, and with its condition


def test_defaults_become_none_and_the_first_goes():
    """Each default is once None; the first is once gone, which leaves a valid signature."""
    changed = [new.splitlines()[0] for _, new in _changed_defaults("def f(a, b=1, c=2):\n    pass")]
    assert changed == ["def f(a, b=None, c=2):", "def f(a, b=1, c=None):", "def f(a, b, c=2):"]


def test_docstrings_and_annotations_are_no_code():
    """Neither a docstring nor an annotation is mutated."""
    import ast

    tree = ast.parse('def f(x: int | None) -> int:\n    """Two."""\n    return x')
    assert ast.unparse(_bare(tree.body[0])) == "def f(x):\n    return x"


def test_a_mutant_stands_where_the_definition_stood(mutant):
    """What comes after a definition sees the mutant, as with f() at the top level."""
    assert in_place("def f():\n    return 1\nx = f()", mutant) == "def f():\n    return 2\nx = f()"


def test_a_verdict_is_remembered_until_the_tests_or_the_definition_change(tmp_path, mutant):
    """The file gives a verdict back for the same tests and definition; a broken run loses none before it."""
    path = tmp_path / "results" / "lab.jsonl"
    Results(path, "tests").add(mutant, {"verdict": "survived"})
    assert Results(path, "tests").hold(mutant, jailed=False)
    assert not Results(path, "tests").hold(mutant, jailed=True)
    assert not Results(path, "others").hold(mutant, jailed=False)
    other = Mutant("f", "NumberReplacer", "def f():\n    return 0", mutant.text)
    assert not Results(path, "tests").hold(other, jailed=False)
    assert json.loads(path.read_text())["definition"] == "f"


def test_a_decision_says_why():
    """Each survivor is equivalent or free, with a reason; a free one names a right answer that shows it."""
    for entry in references.survivors().values():
        assert entry["verdict"] in {"equivalent", "free"}
        assert entry["reason"]
        assert entry["verdict"] == "equivalent" or references.variants(entry["variant"]), entry["variant"]


@pytest.mark.proof
def test_cosmic_rays_operators_change_one_place_each():
    """Constants, comparisons, arithmetic and conditions are changed, each mutant once."""
    pytest.importorskip("cosmic_ray", reason="`make references` installs it")
    found = {mutant.text.splitlines()[1].strip() for mutant in mutants_of("def f(x):\n    return x + 1 < 3 or not x")}
    assert {
        "return x + 2 < 3 or not x",
        "return x - 1 < 3 or not x",
        "return x + 1 <= 3 or not x",
        "return x + 1 < 3 and (not x)",
        "return x + 1 < 3 or x",
    } <= found
