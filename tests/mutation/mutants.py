"""First-order mutants of a reference solution: one small change in one of the definitions that graded functions need.

The changes are those of cosmic-ray's operators, and three of our own: a deleted statement, None for an argument's
default, and a default that is gone. Docstrings and functions' annotations are left out before.
"""

from __future__ import annotations

import ast
import copy
import difflib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

ARITHMETIC = {  # cosmic-ray has eleven partners for each operator; one or two show whether a test sees the operation
    "Add": ("Sub",),
    "Sub": ("Add",),
    "Mul": ("Div",),
    "Div": ("Mul", "FloorDiv"),
    "FloorDiv": ("Div", "Mul"),
    "Mod": ("FloorDiv",),
    "Pow": ("Mul",),
    "RShift": ("LShift",),
    "LShift": ("RShift",),
    "BitOr": ("BitAnd",),
    "BitAnd": ("BitOr",),
    "BitXor": ("BitOr",),
}
COMPARISONS = {  # the negation, and the neighbour at the boundary
    "Eq": ("NotEq", "GtE", "LtE"),
    "NotEq": ("Eq", "Gt", "Lt"),
    "Lt": ("GtE", "LtE"),
    "LtE": ("Gt", "Lt"),
    "Gt": ("LtE", "GtE"),
    "GtE": ("Lt", "Gt"),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
}
OPERATORS = (
    "NumberReplacer",
    *(f"ReplaceBinaryOperator_{old}_{new}" for old, others in ARITHMETIC.items() for new in others),
    *(f"ReplaceComparisonOperator_{old}_{new}" for old, others in COMPARISONS.items() for new in others),
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_USub",
    "ReplaceUnaryOperator_Delete_Invert",
    "ReplaceUnaryOperator_Delete_Not",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "RemoveDecorator",
    "ZeroIterationForLoop",
)
Definition = ast.FunctionDef | ast.ClassDef | ast.Assign


@dataclass(frozen=True)
class Mutant:
    """One changed definition: `was` and `now` are the lines that differ."""

    definition: str
    operator: str
    original: str
    text: str

    @property
    def change(self) -> tuple[str, str]:
        """The lines that differ, before and after; empty where lines are only gone."""
        lines = list(difflib.ndiff(self.original.splitlines(), self.text.splitlines()))
        was, now = ([line[2:].strip() for line in lines if line.startswith(sign)] for sign in ("- ", "+ "))
        return "; ".join(was), "; ".join(now)

    @property
    def key(self) -> str:
        """A digest of the definition, before and after."""
        return hashlib.sha256(f"{self.original}\n---\n{self.text}".encode()).hexdigest()[:16]


def mutants_of(graded: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's definitions once, in the module's order."""
    for node in ast.parse(graded).body:
        name = _name(node)
        if name:
            yield from _mutants_of_definition(name, ast.unparse(_bare(node)))


def _name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _bare(node: ast.stmt) -> ast.stmt:
    """Return a definition without docstrings and without functions' annotations: no test can depend on them."""
    node = copy.deepcopy(node)
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part) is not None:
            part.body = part.body[1:] or [ast.Pass()]
        if isinstance(part, ast.FunctionDef):
            part.returns = None
        if isinstance(part, ast.arg):
            part.annotation = None
    return node


def _mutants_of_definition(name: str, original: str) -> Iterator[Mutant]:
    seen = {original}
    for operator, changed in (*_of_cosmic_ray(original), *_deleted_statements(original), *_changed_defaults(original)):
        try:
            text = ast.unparse(ast.parse(changed))
        except SyntaxError:  # no program at all: -x without its operand
            continue
        if text not in seen:
            seen.add(text)
            yield Mutant(name, operator, original, text)


def _of_cosmic_ray(original: str) -> Iterator[tuple[str, str]]:
    from cosmic_ray.ast import get_ast
    from cosmic_ray.mutating import mutate_code

    nodes = list(_nodes(get_ast(original)))
    for name in OPERATORS:
        operator = _operator(name)
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            yield name, mutate_code(original, operator, occurrence)


@cache
def _operator(name: str) -> Any:
    from cosmic_ray import plugins

    return plugins.get_operator(f"core/{name}")()


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child)


def _deleted_statements(original: str) -> Iterator[tuple[str, str]]:
    """Yield the definition without one of its statements; those that define a function or a class stay."""

    def bodies(tree: ast.AST) -> list[list[ast.stmt]]:
        fields = ("body", "orelse", "finalbody")
        found = [
            getattr(node, name, None) for node in ast.walk(tree) if not isinstance(node, ast.Module) for name in fields
        ]
        return [body for body in found if isinstance(body, list)]

    def delete(tree: ast.AST, place: tuple[int, int]) -> None:
        bodies(tree)[place[0]][place[1]] = ast.Pass()

    places = [
        (body, position)
        for body, statements in enumerate(bodies(ast.parse(original)))
        for position, statement in enumerate(statements)
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Pass)
    ]
    yield from _changed(original, "DeleteStatement", places, delete)


def _changed_defaults(original: str) -> Iterator[tuple[str, str]]:
    """Yield the definition with None for one default, and without the first default of each function."""

    def functions(tree: ast.AST) -> list[ast.arguments]:
        return [node for node in ast.walk(tree) if isinstance(node, ast.arguments)]

    def to_none(tree: ast.AST, place: tuple[int, int]) -> None:
        functions(tree)[place[0]].defaults[place[1]] = ast.Constant(None)

    def remove(tree: ast.AST, place: tuple[int, int]) -> None:
        functions(tree)[place[0]].defaults.pop(0)

    places = [(n, k) for n, found in enumerate(functions(ast.parse(original))) for k in range(len(found.defaults))]
    yield from _changed(original, "DefaultIsNone", places, to_none)
    yield from _changed(original, "NoDefault", [place for place in places if place[1] == 0], remove)


def _changed(
    original: str, operator: str, places: list[tuple[int, int]], change: Callable[[ast.AST, tuple[int, int]], None]
) -> Iterator[tuple[str, str]]:
    for place in places:
        tree = ast.parse(original)
        change(tree, place)
        yield operator, ast.unparse(tree)
