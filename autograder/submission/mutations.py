"""Which objects a statement changes in place: `TABLE[key] = …`, `TABLE.append(…)`, `setattr(Class, …)`, `fill(TABLE)`.

Read off the syntax tree, in a statement and in the functions that it defines. Cautious on both sides: too little kept
costs a student points that were earned, too much runs experiments that nobody asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

DYNAMIC = ("exec", "eval", "globals", "locals")  # may read or bind any name
_MUTATORS = (
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "popleft",
    "register",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
)
_READERS = (
    "copy",
    "count",
    "describe",
    "get",
    "head",
    "index",
    "item",
    "items",
    "keys",
    "plot",
    "show",
    "tail",
    "tolist",
    "values",
)
# functions of a library that set something for all of its users; devices and threads are the grader's to choose
SWITCH = re.compile(
    r"(set(?!_default_device|_device|_default_tensor_type|_num)|seed|manual_seed|use_|enable|disable|register)\w*"
    r"|filterwarnings|simplefilter|apply|update|basicConfig|add_safe_globals|__enter__"
)
_SETTERS = ("setattr", "delattr", "__setattr__", "__delattr__")
_INSIDES = ("getattr", "next", "vars")  # return a part of what they are given
_COPIES = ("dict", "enumerate", "filter", "iter", "list", "map", "reversed", "set", "sorted", "tuple", "zip")

Objects = set[tuple[str, str]]
"""What a value is, by name: the "same" object as NAME, a "part" of it, a new object that "holds" it or its parts,
or the "result" of calling NAME."""


@dataclass(frozen=True)
class Touch:
    """A name whose object a statement may change.

    `how`: store (`x.a = …`), call (`x.f()`), argument (`f(x)`), result (`x()[k] = …`), switch (`x.set_dtype(…)`), or
    decoration (`@f` above a function whose annotations name x). `deep`: what changes is a part of the object, as in
    `x.a.b = …`. `via` is the function that the object is handed to and `slot` its
    position or keyword; `statement` says that the call stands alone, so that an effect is all it can have.
    """

    name: str
    how: str
    deep: bool = False
    via: str = ""
    slot: int | str = 0
    statement: bool = False


class Changes(ast.NodeVisitor):
    """Which objects a statement changes, now or in the functions that it defines."""

    def __init__(self) -> None:
        self.touches: dict[str, list[Touch]] = {}
        self.aliases: dict[tuple[str, str], Objects] = {}
        self.parameters: dict[str, tuple[str, ...]] = {}
        self.called: set[str] = set()
        self.instances: set[str] = set()  # methods of theirs are called
        self.defined: set[str] = set()
        self.classes: set[str] = set()
        self.dynamic: set[str] = set()
        self._owner = ""
        self._class = ""
        self._alone: ast.AST | None = None  # the call that is a whole statement
        self._assigned: ast.AST | None = None  # the one whose value a statement assigns
        self._is_setting = True  # a call that sets something for a whole library is there to do so: not in a loop

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Decorators and defaults act now, the body when it is called."""
        self._decorators(node)
        self.visit(node.args)
        outer, self._is_setting = self._is_setting, not self._owner and not self._class and _is_setup(node)
        if not self._owner and not self._class:
            self.defined.add(node.name)
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            self.parameters[node.name] = tuple(argument.arg for argument in arguments)
        with self._inside(self._owner or self._class or node.name):
            for statement in node.body:
                self.visit(statement)
        self._is_setting = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda's body acts when it is called."""
        self.visit(node.args)
        with self._inside(self._owner or self._class or "lambda"):
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """A class body acts now, its methods when they are called."""
        self._decorators(node)
        if not self._owner and not self._class:
            self.classes.add(node.name)
        outer, self._class = self._class, self._class or node.name
        for part in (*node.bases, *node.keywords, *node.body):
            self.visit(part)
        self._class = outer

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call whose value is thrown away is there for its effect."""
        self._alone = node.value.value if isinstance(node.value, ast.Await) else node.value
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """`x.append(1)`, `setattr(x, …)`, `fill(x)`, `globals()`."""
        alone = node is self._alone
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _SETTERS and node.args:
            self._touch(_objects(node.args[0]), "store")
        if isinstance(node.func, ast.Attribute):
            self._method(node.func, alone)
        elif isinstance(node.func, ast.Name):
            self._function(node.func.id, node)
        if node in (self._alone, self._assigned) and self._is_setting:
            self._switch(node.func)
        slots: list[tuple[int | str, ast.expr]] = [*enumerate(node.args)]
        slots += [(keyword.arg or 0, keyword.value) for keyword in node.keywords]
        via = _callee(node.func)
        for slot, value in slots:
            self._touch(_objects(value), "argument", via=via, slot=slot, statement=alone)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute | ast.Subscript) -> None:
        """`x.a = …`, `x[k] = …`, `del x[k]` change x."""
        if not isinstance(node.ctx, ast.Load):
            self._touch(_objects(node.value), "store")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """The same; and `sys.modules[__name__]` is this module, all of it."""
        if isinstance(node.slice, ast.Name) and node.slice.id == "__name__":
            self.dynamic.add(self._owner)
        self.visit_Attribute(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`x += …` may change a tensor or a list in place, so also what else it is called."""
        if isinstance(node.target, ast.Name):
            self._touch({(node.target.id, "same")}, "store")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """`x = y` gives y's object another name."""
        self._assigned = node.value
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
        target, iterable = node.target, node.iter
        items, sources = [target], [iterable]
        if isinstance(target, ast.Tuple) and isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name):
            if iterable.func.id == "zip":
                items, sources = target.elts, iterable.args
            elif iterable.func.id == "enumerate":
                items, sources = target.elts[1:], iterable.args
        for item, source in zip(items, sources, strict=False):
            self._rename(item, _elements(_objects(source)))
        self.visit_While(node)

    visit_AsyncFor = visit_For
    visit_comprehension = visit_For

    def visit_While(self, node: ast.AST) -> None:
        """What a loop does again and again is an experiment's setting, not the notebook's."""
        outer, self._is_setting = self._is_setting, False
        self.generic_visit(node)
        self._is_setting = outer

    def _decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """What decorates a definition is called with it, and may change what its annotations and defaults name."""
        named = set() if isinstance(node, ast.ClassDef) else _named_by_signature(node)
        for decorator in node.decorator_list:
            self._decorator(decorator)
            via = _callee(decorator.func if isinstance(decorator, ast.Call) else decorator)
            self._touch({(name, "same") for name in named}, "decoration", via=via)

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
        mutates = function.attr in _MUTATORS or in_place
        if not self._owner:
            self.instances |= {name for name, relation in _objects(function.value) if relation in ("same", "part")}
        is_plain = not any(isinstance(part, ast.Call) for part in ast.walk(function.value))
        if mutates or (alone and is_plain and function.attr not in _READERS):
            self._touch(_objects(function.value), "call", statement=alone)

    def _function(self, name: str, node: ast.Call) -> None:
        if not self._owner:
            self.called.add(name)
        if name in DYNAMIC or (name == "vars" and not node.args):
            self.dynamic.add(self._owner)

    def _switch(self, function: ast.expr) -> None:
        """`torch.set_grad_enabled(False)`, `seed(0)`, `sys.path.append("src")`: a change of the library."""
        if isinstance(function, ast.Name):
            self._touch({(function.id, "same")}, "switch")  # if the library calls it so
        elif isinstance(function, ast.Attribute):
            is_part = isinstance(function.value, ast.Attribute) and function.attr in _MUTATORS
            root = root_of(function.value)
            self._touch({(root, "part")} if root and (is_part or SWITCH.fullmatch(function.attr)) else set(), "switch")

    def _touch(self, objects: Objects, how: str, via: str = "", slot: int | str = 0, statement: bool = False) -> None:
        found = self.touches.setdefault(self._owner, [])
        for name, relation in sorted(objects):
            if relation == "result" and how != "argument":
                found.append(Touch(name, "result"))
            elif relation in ("same", "part") or how == "argument":
                found.append(Touch(name, how, relation != "same", via, slot, statement))

    def _alias(self, target: ast.expr, value: ast.expr) -> None:
        """`target = value`; `a, b = c, d` is taken apart."""
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for item, part in zip(target.elts, value.elts, strict=True):
                    self._alias(item, part)
            else:
                self._rename(target, _elements(_objects(value)))
        else:
            self._rename(target, _objects(value))

    def _rename(self, target: ast.expr, objects: Objects) -> None:
        """All names in `target` may now stand for `objects`."""
        known = {(name, relation) for name, relation in objects if relation != "result"}
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) and known:
                self.aliases.setdefault((self._owner, part.id), set()).update(known)

    @contextmanager
    def _inside(self, owner: str) -> Iterator[None]:
        outer, self._owner = self._owner, owner
        yield
        self._owner = outer


def _objects(node: ast.expr) -> Objects:
    """What the value of `node` is, as far as names tell."""
    match node:
        case ast.Name():
            return {(node.id, "same")}
        case ast.Attribute() | ast.Subscript():
            return _elements(_objects(node.value))
        case ast.Starred() | ast.NamedExpr():
            return _objects(node.value)
        case ast.Tuple() | ast.List() | ast.Set():
            return _held(node.elts)
        case ast.Dict():
            return _held(node.values)
        case ast.IfExp():
            return _objects(node.body) | _objects(node.orelse)
        case ast.BoolOp():
            return {item for value in node.values for item in _objects(value)}
        case ast.Call(func=ast.Name(id=name)) if name in _COPIES:
            return _held(node.args)
        case ast.Call(func=ast.Name(id=name)) if name in _INSIDES:
            return {item for value in node.args for item in _elements(_objects(value))}
        case ast.Call(func=ast.Name(id=name)):
            return {(name, "result")}
        case ast.Call(func=ast.Attribute(value=receiver, attr=method)):
            defaults = node.args[1:] if method in ("get", "setdefault") else []
            return _elements(_objects(receiver)) | {item for value in defaults for item in _objects(value)}
    return set()


def _elements(objects: Objects) -> Objects:
    """What a part of such a value is: an element, an attribute, what a method returns."""
    inner = {"same": "part", "part": "part", "holds": "same", "result": "result"}
    return {(name, inner[relation]) for name, relation in objects}


def _held(nodes: Iterable[ast.expr]) -> Objects:
    """A new container of such values."""
    return {(name, "holds") for node in nodes for name, relation in _objects(node) if relation != "result"}


def _callee(function: ast.expr) -> str:
    """The function's name, or of `a.b.c` the name `a.`; "." when it is neither."""
    if isinstance(function, ast.Name):
        return function.id
    while isinstance(function, ast.Attribute):
        function = function.value
    return f"{function.id}." if isinstance(function, ast.Name) else "."


def _named_by_signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names in a function's annotations, as text, too, and in its defaults."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parts = [*(item.annotation for item in every), node.returns, *arguments.defaults, *arguments.kw_defaults]
    found = [inner for part in parts if part for inner in ast.walk(part)]
    texts = [inner.value for inner in found if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]
    names = [inner.id for inner in found if isinstance(inner, ast.Name)]
    return {*names, *(text.partition(".")[0] for text in texts if text.replace(".", "_").isidentifier())}


def _is_setup(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function does nothing but set things, as `seed_everything` does: a call of it then does so, too."""
    for part in ast.walk(node):
        if isinstance(part, ast.For | ast.While | ast.AsyncFor | ast.Await | ast.Yield):
            return False
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            function = part.value.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if not (SWITCH.fullmatch(name) or name in _MUTATORS or name == "print"):
                return False
        called = part.value.func if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call) else None
        if getattr(called, "id", "str") not in ("str", "int", "float"):
            return False
    return True


def root_of(node: ast.expr) -> str:
    """Return the name that a dotted expression, also one with calls in it, starts with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
