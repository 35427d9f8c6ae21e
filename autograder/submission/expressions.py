"""What an expression's value is, and what a call does, as far as names tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

MUTATORS = frozenset(
    "add append appendleft clear discard extend insert pop popitem popleft register remove reverse setdefault sort "
    "update".split()
)
# functions of a library that set something for all of its users; devices and threads are the grader's to choose
SWITCH = re.compile(
    r"(set(?!_default_device|_device|_default_tensor_type|_num)|seed|manual_seed|use|enable|disable|register)\w*"
    r"|filterwarnings|simplefilter|apply|update|basicConfig|add_safe_globals|__enter__"
)
_INSIDES = ("getattr", "next", "vars")  # return a part of what they are given
_COPIES = ("dict", "enumerate", "filter", "iter", "list", "map", "reversed", "set", "sorted", "tuple", "zip")

Objects = set[tuple[str, str]]
"""What a value is, by name: the "same" object as NAME, a "part" of it, a new object that "holds" it or its parts,
or the "result" of calling NAME."""


def objects_of(node: ast.expr) -> Objects:
    """Return what the value of `node` is, as far as names tell."""
    match node:
        case ast.Name():
            return {(node.id, "same")}
        case ast.Attribute() | ast.Subscript():
            return elements_of(objects_of(node.value))
        case ast.Starred() | ast.NamedExpr():
            return objects_of(node.value)
        case ast.Tuple() | ast.List() | ast.Set():
            return _held(node.elts)
        case ast.Dict():
            return _held(node.values)
        case ast.IfExp():
            return objects_of(node.body) | objects_of(node.orelse)
        case ast.BoolOp():
            return {item for value in node.values for item in objects_of(value)}
        case ast.Call(func=ast.Name(id=name)) if name in _COPIES:
            return _held(node.args)
        case ast.Call(func=ast.Name(id=name)) if name in _INSIDES:
            return {item for value in node.args for item in elements_of(objects_of(value))}
        case ast.Call(func=ast.Name(id=name)):
            return {(name, "result")}
        case ast.Call(func=ast.Attribute(value=receiver, attr=method)):
            defaults = node.args[1:] if method in ("get", "setdefault") else []
            return elements_of(objects_of(receiver)) | {item for value in defaults for item in objects_of(value)}
    return set()


def elements_of(objects: Objects) -> Objects:
    """Return what a part of such a value is: an element, an attribute, what a method returns."""
    inner = {"same": "part", "part": "part", "holds": "same", "result": "result"}
    return {(name, inner[relation]) for name, relation in objects}


def _held(nodes: Iterable[ast.expr]) -> Objects:
    """A new container of such values."""
    return {(name, "holds") for node in nodes for name, relation in objects_of(node) if relation != "result"}


def callee_of(function: ast.expr) -> str:
    """Return the function's name, or of `a.b.c` the name `a.`; "." when it is neither."""
    if isinstance(function, ast.Name):
        return function.id
    while isinstance(function, ast.Attribute):
        function = function.value
    return f"{function.id}." if isinstance(function, ast.Name) else "."


def named_by_signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names in a function's annotations, also in those that are text, and in its defaults."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parts = [*(item.annotation for item in every), node.returns, *arguments.defaults, *arguments.kw_defaults]
    found = [inner for part in parts if part for inner in ast.walk(part)]
    texts = [inner.value for inner in found if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]
    names = [inner.id for inner in found if isinstance(inner, ast.Name)]
    return {*names, *(text.partition(".")[0] for text in texts if text.replace(".", "_").isidentifier())}


def is_setup(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function does nothing but set things, as `seed_everything` does: a call of it then does so, too."""
    for part in ast.walk(node):
        if isinstance(part, ast.For | ast.While | ast.AsyncFor | ast.Await | ast.Yield):
            return False
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            name = name_of(part.value.func)
            if not (SWITCH.fullmatch(name) or name in MUTATORS or name == "print"):
                return False
        called = part.value.func if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call) else None
        if getattr(called, "id", "str") not in ("str", "int", "float"):
            return False
    return True


def name_of(function: ast.expr) -> str:
    """Return the last name of what is called: "save" for `torch.save`."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def root_of(node: ast.expr) -> str:
    """Return the name that a dotted expression, also one with calls in it, starts with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
