"""What a statement has to do with the world outside its module: modules that it imports, files that it writes or names.

A file with a literal name is a thing like any other: who mentions it depends on who writes it. Its name here is
"file:k.txt".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from autograder.submission.helpers import plain_path
from autograder.submission.mutations import Objects, Touch

FILE = "file:"
_LONGEST_NAME = 100  # characters of a file's
_WRITERS = re.compile(
    r"save\w*|write_(image|csv|parquet)|to_(csv|json|pickle|parquet|excel|file|feather|hdf)|tofile|dump|export|mkdir"
    r"|makedirs|copy2|copyfile|copytree|move|rename|remove|rmtree|imsave|urlretrieve|quantize_(static|dynamic)"
)
_PATH_METHODS = ("write_text", "write_bytes", "mkdir", "touch", "unlink", "rename", "symlink_to")
_ABSENT = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))


@dataclass(frozen=True)
class Import:
    """`import module as name`, or `from module import member as name`.

    `line`: below the statement's first one. `guarded`: the code goes on without it. `deferred`: it is in a function.
    """

    module: str
    member: str
    name: str
    line: int
    guarded: bool
    deferred: bool

    @property
    def is_whole(self) -> bool:
        """Whether `name` is the module itself: `import a.b` binds a, `import a.b as c` binds a.b."""
        return not self.member and self.name != self.module.partition(".")[0]


class Outside(ast.NodeVisitor):
    """Which modules a statement imports, and which files it writes or mentions, now or in the functions it defines.

    `first`: the line on which it starts.
    """

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self.imports: list[Import] = []
        self.now: set[str] = set()  # files that it mentions when it runs
        self.later: set[str] = set()  # and when a function that it defines is called
        self.touches: dict[str, list[Touch]] = {}
        self.aliases: dict[tuple[str, str], Objects] = {}
        self._owner = ""
        self._class = ""
        self._guarded = False

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Decorators and defaults are of now, the body is of later."""
        for part in (*node.decorator_list, node.args):
            self.visit(part)
        with self._inside(self._owner or self._class or node.name):
            for statement in node.body:
                self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda's body is of later."""
        self.visit(node.args)
        with self._inside(self._owner or self._class or "lambda"):
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """A class body is of now, its methods are of later."""
        outer, self._class = self._class, self._class or node.name
        self.generic_visit(node)
        self._class = outer

    def visit_Constant(self, node: ast.Constant) -> None:
        """A string may be the name of a file."""
        (self.later if self._owner else self.now).update(_files(node))

    def visit_Call(self, node: ast.Call) -> None:
        """`open("k.txt", "w")`, `Path("k.txt").write_text(…)`, `torch.save(x, "k.pt")` write a file."""
        for written in _written(node):
            names = [part.id for part in ast.walk(written) if isinstance(part, ast.Name)]
            touches = [Touch(name, "call") for name in names]
            touches += [Touch(file, "store") for part in ast.walk(written) for file in _files(part)[:1]]
            self.touches.setdefault(self._owner, []).extend(touches)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """`p = Path("k.txt")`, `f = open(p, "w")`: what is done to p and f is done to the file."""
        paths = _written(node.value) if isinstance(node.value, ast.Call) else []
        parts = [part for path in [*paths, *filter(_is_path, [node.value])] for part in ast.walk(path)]
        files = {(file, "same") for part in parts for file in _files(part)[:1]}
        names = {(part.id, "same") for part in parts if isinstance(part, ast.Name)} if files else set()
        for target in node.targets:
            if isinstance(target, ast.Name) and files:
                self.aliases[self._owner, target.id] = files | names
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b as c`."""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._import(node, alias.name, "", name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a.b import c as d`."""
        module = "" if node.level else node.module or ""
        for alias in node.names:
            self._import(node, module, alias.name, alias.asname or alias.name)

    def _import(self, node: ast.stmt, module: str, member: str, name: str) -> None:
        line, deferred = node.lineno - self._first, bool(self._owner)
        self.imports.append(Import(module, member, name, line, self._guarded, deferred))

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        """An import whose failure is caught is not missed."""
        outer = self._guarded
        self._guarded = outer or any(_catches_absence(handler.type) for handler in node.handlers)
        for statement in node.body:
            self.visit(statement)
        self._guarded = outer
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    visit_TryStar = visit_Try

    def visit_With(self, node: ast.With) -> None:
        """`with suppress(ImportError):` catches it, too."""
        outer = self._guarded
        self._guarded = outer or any(_catches_absence(item.context_expr) for item in node.items)
        self.generic_visit(node)
        self._guarded = outer

    def visit_If(self, node: ast.If) -> None:
        """What is imported under a condition, for a type checker or where a package is there, is not missed either."""
        outer, self._guarded = self._guarded, True
        self.generic_visit(node)
        self._guarded = outer

    @contextmanager
    def _inside(self, owner: str) -> Iterator[None]:
        outer, self._owner = self._owner, owner
        yield
        self._owner = outer


def _catches_absence(node: ast.expr | None) -> bool:
    """Whether `except node` or `with node` catches an import that fails."""
    return node is None or any(isinstance(part, ast.Name) and part.id in _ABSENT for part in ast.walk(node))


def _files(node: ast.AST) -> list[str]:
    """The file that a string names, and the folders above it."""
    text = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NAME or re.search(r"\s", text):
        return []
    parts = plain_path(text).strip("/").split("/")
    return [f"{FILE}{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]


def _written(node: ast.Call) -> list[ast.expr]:
    """The expressions that name files which the call writes, or that are such files."""
    function, words = node.func, {word.arg: word.value for word in node.keywords}
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name == "open":
        return _opened(node, words.get("mode"))
    if name in _PATH_METHODS and isinstance(function, ast.Attribute):
        return [function.value]
    handles = [*node.args[1:2]] if name == "dump" else [words["file"]] if name == "print" and "file" in words else []
    arguments = [*node.args, *words.values()] if _WRITERS.fullmatch(name) else []
    return [*handles, *filter(_names_a_file, arguments)]


def _opened(node: ast.Call, mode: ast.expr | None) -> list[ast.expr]:
    """`open("k.txt", "w")`, `gzip.open("k.gz", mode="wb")` and `Path("k.txt").open("a")` open a file to write it."""
    function = node.func
    is_method = isinstance(function, ast.Attribute) and not isinstance(function.value, ast.Name)
    path = function.value if is_method else node.args[0] if node.args else None  # type: ignore[attr-defined]
    modes = [*node.args[0 if is_method else 1 :][:1], mode]
    is_written = any(isinstance(given, ast.Constant) and set("wax+") & set(str(given.value)) for given in modes)
    return [path] if is_written and path is not None else []


def _is_path(node: ast.expr) -> bool:
    """Whether a value is the name of a file, written out: "k.txt", Path("k.txt"), folder / "k.txt"."""
    match node:
        case ast.Constant(str()) | ast.Call(ast.Name("Path")) | ast.Call(ast.Attribute(attr="Path" | "join")):
            return True
        case ast.BinOp(op=ast.Div()):
            return _names_a_file(node)
    return False


def _names_a_file(node: ast.expr) -> bool:
    """Whether an argument has a string in it from which a path may be made."""
    is_path = isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call)
    return is_path and any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node))
