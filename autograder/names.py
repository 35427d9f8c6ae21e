"""What one top-level statement does with names: which it binds, reads, and changes in place. Scoping is symtable's."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from autograder.changes import Changes, Objects, Touch

_OWN_SCOPE = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.comprehension, ast.NamedExpr,
)  # fmt: skip
_COMPREHENSIONS = frozenset({"listcomp", "setcomp", "dictcomp", "genexpr"})


@dataclass(frozen=True)
class Names:
    """What one top-level statement does with module-level names.

    `owner` keys are "" for what happens when the statement runs, otherwise the function or class whose
    later calls do it.
    """

    binds: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()  # those of them that an import binds
    defines: frozenset[str] = frozenset()  # those of them that a def or class binds
    classes: frozenset[str] = frozenset()  # those of them that a class binds
    surely: frozenset[str] = frozenset()  # bound whichever branch is taken
    needs: frozenset[str] = frozenset()  # read when it runs, before it binds them itself
    reads: frozenset[str] = frozenset()  # read when it runs
    later: frozenset[str] = frozenset()  # read when a function that it defines is called
    rebinds: frozenset[str] = frozenset()  # declared global in a function, and assigned there
    calls: frozenset[str] = frozenset()  # called by name when it runs
    instances: frozenset[str] = frozenset()  # methods of theirs are called when it runs
    touches: Mapping[str, tuple[Touch, ...]] = field(default_factory=dict)  # owner -> touches
    aliases: Mapping[tuple[str, str], Objects] = field(default_factory=dict)  # (owner, name) -> what it stands for
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # function -> its parameters
    dynamic: frozenset[str] = frozenset()  # owners that use exec, globals() and the like


def names_of(statement: ast.stmt) -> Names:
    """Return what `statement`, a statement at module level, does with names; it stays as it is.

    A statement nested too deeply to be analysed counts as one that may do anything.
    """
    try:
        return _names_of(statement)
    except (RecursionError, MemoryError):
        return Names(dynamic=frozenset({""}))


def _names_of(statement: ast.stmt) -> Names:
    scopes = _Scopes()
    scopes.add(symtable.symtable(ast.unparse(statement), "<cell>", "exec"), deferred=False)
    flow = _Flow()
    surely = flow.step(statement, frozenset())
    changes = Changes()
    changes.visit(statement)
    reads = frozenset(scopes.now | flow.consumed & scopes.binds)
    return Names(
        binds=frozenset(scopes.binds),
        imports=frozenset(scopes.imports),
        defines=frozenset(changes.defined | changes.classes),
        classes=frozenset(changes.classes),
        surely=surely & scopes.binds,
        needs=frozenset(flow.exposed) & reads,
        reads=reads,
        later=frozenset(scopes.later | scopes.rebinds),  # `x += 1` reads x, though symtable says stored
        rebinds=frozenset(scopes.rebinds),
        calls=frozenset(changes.called),
        instances=frozenset(changes.instances),
        touches={owner: tuple(found) for owner, found in changes.touches.items()},
        aliases=changes.aliases,
        parameters=changes.parameters,
        dynamic=frozenset(changes.dynamic),
    )


class _Scopes:
    """Module-level names, collected from a symbol table and all that are nested in it."""

    def __init__(self) -> None:
        self.binds: set[str] = set()
        self.imports: set[str] = set()
        self.now: set[str] = set()
        self.later: set[str] = set()
        self.rebinds: set[str] = set()

    def add(self, table: symtable.SymbolTable, deferred: bool) -> None:
        """Take the names of `table`; what a function's body reads is read later."""
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (top or symbol.is_global()):
                (self.later if deferred else self.now).add(symbol.get_name())
            if top and (symbol.is_assigned() or symbol.is_imported()):
                self.binds.add(symbol.get_name())
                self.imports |= {symbol.get_name()} if symbol.is_imported() else set()
            elif not top and symbol.is_declared_global() and (symbol.is_assigned() or symbol.is_imported()):
                (self.rebinds if deferred else self.binds).add(symbol.get_name())
        for child in table.get_children():
            is_function = child.get_type() == "function" and child.get_name() not in _COMPREHENSIONS
            self.add(child, deferred or is_function)


class _Flow:
    """Which names a statement reads before it has bound them itself.

    Names inside nested scopes are counted too; the caller keeps those that symtable calls module-level.
    """

    def __init__(self) -> None:
        self.exposed: set[str] = set()
        self.consumed: set[str] = set()  # read though symtable says stored: `x += 1`, `del x`

    def run(self, body: Iterable[ast.stmt], bound: frozenset[str]) -> frozenset[str]:
        """Go through `body` knowing `bound`; return what is bound after it."""
        for statement in body:
            bound = self.step(statement, bound)
        return bound

    def step(self, node: ast.stmt, bound: frozenset[str]) -> frozenset[str]:
        """Go through one statement, branches apart."""
        match node:
            case ast.If():
                bound = self._use(node.test, bound)
                return self.run(node.body, bound) & self.run(node.orelse, bound)
            case ast.While():
                bound = self._use(node.test, bound)
                self.run([*node.body, *node.orelse], bound)
                return bound
            case ast.For() | ast.AsyncFor():
                bound = self._use(node.iter, bound)
                self.run([*node.body, *node.orelse], self._use(node.target, bound))
                return bound
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    bound = self._use(item, bound)
                return self.run(node.body, bound)
            case ast.Try() | ast.TryStar():
                return self._try(node, bound)
            case ast.Match():
                bound = self._use(node.subject, bound)
                for case in node.cases:
                    inner = self._use(case.pattern, bound)
                    self.run(case.body, self._use(case.guard, inner) if case.guard else inner)
                return bound
        return self._use(node, bound)

    def _try(self, node: ast.Try | ast.TryStar, bound: frozenset[str]) -> frozenset[str]:
        after = self.run(node.orelse, self.run(node.body, bound))
        for handler in node.handlers:
            inner = self._use(handler.type, bound) if handler.type else bound
            named = {handler.name} if handler.name else set()
            after &= self.run(handler.body, inner | named)
        return self.run(node.finalbody, bound) | after

    def _use(self, node: ast.AST, bound: frozenset[str]) -> frozenset[str]:
        """Everything under `node` is read, then everything under it is bound."""
        for part in ast.walk(node):
            match part:
                case ast.Name(ctx=ast.Load()):
                    self.exposed |= {part.id} - bound
                case ast.Name(ctx=ast.Del()) | ast.AugAssign(target=ast.Name()):
                    name = part.id if isinstance(part, ast.Name) else part.target.id  # type: ignore[union-attr]
                    self.exposed |= {name} - bound
                    self.consumed.add(name)
        return bound | set(_bound_by(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """The names that `node` is sure to bind in its own scope; a walrus may be skipped, as in `a and (b := c)`."""
    match node:
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.alias():
            yield (node.asname or node.name).split(".")[0]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
    if not isinstance(node, _OWN_SCOPE):
        for child in ast.iter_child_nodes(node):
            yield from _bound_by(child)
