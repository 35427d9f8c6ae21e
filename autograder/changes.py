"""Which objects a statement changes in place: `TABLE[key] = …`, `TABLE.append(…)`, `setattr(Class, …)`, `fill(TABLE)`.

Read off the syntax tree, in a statement and in the functions that it defines. Cautious on both sides: too little kept
costs a student points that were earned, too much runs experiments that nobody asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

DYNAMIC = ("exec", "eval", "globals", "locals")  # may read or bind any name
_MUTATORS = (
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "register",
    "remove", "reverse", "setdefault", "sort", "update",
)  # fmt: skip
_READERS = (
    "copy", "count", "describe", "get", "head", "index", "item", "items", "keys", "plot", "show", "tail", "tolist",
    "values",
)  # fmt: skip
_PASSES_ON = (
    "dict", "enumerate", "filter", "getattr", "iter", "list", "map", "next", "reversed", "set", "sorted", "tuple",
    "vars", "zip",
)  # fmt: skip


@dataclass(frozen=True)
class Touch:
    """A name whose object a statement may change. `how`: store (`x.a = …`), call (`x.f()`), argument (`f(x)`).

    `via` is the function that the object is handed to and `slot` its position or keyword; `statement` says that
    the call stands alone as a statement, so that an effect is all it can have.
    """

    name: str
    how: str
    via: str = ""
    slot: int | str = 0
    statement: bool = False


class Changes(ast.NodeVisitor):
    """Which objects a statement changes, now or in the functions that it defines."""

    def __init__(self) -> None:
        self.touches: dict[str, list[Touch]] = {}
        self.aliases: dict[tuple[str, str], set[str]] = {}
        self.parameters: dict[str, tuple[str, ...]] = {}
        self.called: set[str] = set()
        self.defined: set[str] = set()
        self.dynamic: set[str] = set()
        self._owner = ""
        self._class = ""
        self._alone: ast.AST | None = None  # the call that is a whole statement

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Decorators and defaults act now, the body when it is called."""
        for decorator in node.decorator_list:
            self._decorator(decorator)
        self.visit(node.args)
        if not self._owner and not self._class:
            self.defined.add(node.name)
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            self.parameters[node.name] = tuple(argument.arg for argument in arguments)
        with self._inside(self._owner or self._class or node.name):
            for statement in node.body:
                self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda's body acts when it is called."""
        self.visit(node.args)
        with self._inside(self._owner or self._class or "lambda"):
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """A class body acts now, its methods when they are called."""
        for decorator in node.decorator_list:
            self._decorator(decorator)
        if not self._owner and not self._class:
            self.defined.add(node.name)
        outer, self._class = self._class, self._class or node.name
        for part in (*node.bases, *node.keywords, *node.body):
            self.visit(part)
        self._class = outer

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call whose value is thrown away is there for its effect."""
        self._alone = node.value
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """`x.append(1)`, `setattr(x, …)`, `fill(x)`, `globals()`."""
        alone = node is self._alone
        if isinstance(node.func, ast.Attribute):
            self._method(node.func, alone)
        elif isinstance(node.func, ast.Name):
            self._function(node.func.id, node)
        via = next(iter(_roots(node.func)), "")
        slots: list[tuple[int | str, ast.expr]] = [*enumerate(node.args)]
        slots += [(keyword.arg or 0, keyword.value) for keyword in node.keywords]
        for slot, value in slots:
            for name in _roots(value):
                whole = via if isinstance(node.func, ast.Name) else f"{via}."
                self._touch(Touch(name, "argument", whole, slot, alone))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute | ast.Subscript) -> None:
        """`x.a = …`, `x[k] = …`, `del x[k]` change x."""
        if not isinstance(node.ctx, ast.Load):
            for name in _roots(node, through_calls=True):
                self._touch(Touch(name, "store"))
        if ast.unparse(node) == "sys.modules[__name__]":
            self.dynamic.add(self._owner)
        self.generic_visit(node)

    visit_Subscript = visit_Attribute

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`x += …` may change a tensor or a list in place, so also what else it is called."""
        if isinstance(node.target, ast.Name):
            self._touch(Touch(node.target.id, "store"))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """`x = y` gives y's object another name."""
        for target in node.targets:
            self._alias(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign | ast.NamedExpr) -> None:
        """`x: T = y` and `(x := y)` too."""
        if node.value is not None:
            self._alias(node.target, node.value)
        self.generic_visit(node)

    visit_NamedExpr = visit_AnnAssign

    def visit_For(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        """`for x in (y, z)` too; zip and enumerate are taken apart."""
        iterable, target = node.iter, node.target
        called = iterable.func.id if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) else ""
        if called in ("zip", "enumerate") and isinstance(target, ast.Tuple) and isinstance(iterable, ast.Call):
            items = target.elts[1:] if called == "enumerate" else target.elts
            for item, value in zip(items, iterable.args, strict=False):
                self._alias(item, value)
        else:
            self._alias(target, iterable)
        self.generic_visit(node)

    visit_AsyncFor = visit_For
    visit_comprehension = visit_For

    def _decorator(self, node: ast.expr) -> None:
        """`@table.register` and `@table.register(key)` call a method for its effect."""
        function = node.func if isinstance(node, ast.Call) else node
        if isinstance(function, ast.Attribute):
            self._method(function, alone=True)
        elif isinstance(function, ast.Name) and not self._owner:
            self.called.add(function.id)
        self.visit(node)

    def _method(self, function: ast.Attribute, alone: bool) -> None:
        """A mutating method anywhere; any other one when the call stands alone, unless it only reads."""
        in_place = function.attr.endswith("_") and not function.attr.startswith("_")
        if function.attr in _MUTATORS or in_place or (alone and function.attr not in _READERS):
            for name in _roots(function.value):
                self._touch(Touch(name, "call", statement=alone))

    def _function(self, name: str, node: ast.Call) -> None:
        if not self._owner:
            self.called.add(name)
        if name in DYNAMIC or (name == "vars" and not node.args):
            self.dynamic.add(self._owner)
        if name in ("setattr", "delattr") and node.args:
            for root in _roots(node.args[0], through_calls=True):
                self._touch(Touch(root, "store"))

    def _touch(self, touch: Touch) -> None:
        self.touches.setdefault(self._owner, []).append(touch)

    def _alias(self, target: ast.expr, value: ast.expr) -> None:
        names = _roots(value)
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) and names:
                self.aliases.setdefault((self._owner, part.id), set()).update(names)

    @contextmanager
    def _inside(self, owner: str) -> Iterator[None]:
        outer, self._owner = self._owner, owner
        yield
        self._owner = outer


def _roots(node: ast.expr, through_calls: bool = False) -> set[str]:
    """The names whose objects `node` is, or is a part of; with `through_calls` also what a call is given."""
    match node:
        case ast.Name():
            return {node.id}
        case ast.Attribute() | ast.Subscript() | ast.Starred() | ast.NamedExpr():
            return _roots(node.value, through_calls)
        case ast.Tuple() | ast.List() | ast.Set():
            return _union(node.elts, through_calls)
        case ast.Dict():
            return _union(node.values, through_calls)
        case ast.IfExp():
            return _union((node.body, node.orelse), through_calls)
        case ast.BoolOp():
            return _union(node.values, through_calls)
        case ast.Call(func=ast.Name(id=name)):
            passed = _union(node.args, through_calls) if through_calls or name in _PASSES_ON else set()
            return passed | ({name} if through_calls else set())
        case ast.Call(func=ast.Attribute(value=receiver)):
            return _roots(receiver, through_calls)
    return set()


def _union(nodes: Iterable[ast.expr], through_calls: bool) -> set[str]:
    return {name for node in nodes for name in _roots(node, through_calls)}
