"""What one top-level statement does with names: which it binds, reads, and changes in place."""

from __future__ import annotations

import ast
import symtable
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from autograder.submission.mutations import Changes, Objects, Touch
from autograder.submission.outside import Import, Outside

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
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
    imported: tuple[Import, ...] = ()  # what its imports, also those in functions, import


def names_of(statement: ast.stmt, text: str = "") -> Names:
    """Return what `statement`, a statement at module level, does with names; it stays as it is.

    `text`: its source, if that holds nothing else. A statement that can't be analysed (nested too deeply, or with a
    constant that can't be written out anew) counts as one that may do anything.
    """
    try:
        text = text or ast.unparse(statement)
        if text not in _KNOWN:  # half of what a class hands in is what it was given
            while len(_KNOWN) >= _MOST_KNOWN:
                del _KNOWN[next(iter(_KNOWN))]
            _KNOWN[text] = _names_of(statement, text)
        return _KNOWN[text]
    except (RecursionError, MemoryError, ValueError, SyntaxError):
        return UNKNOWN


UNKNOWN = Names(dynamic=frozenset({""}))  # a statement that may do anything
_KNOWN: dict[str, Names] = {}
_MOST_KNOWN = 2000


def _names_of(statement: ast.stmt, text: str) -> Names:
    scopes = _Scopes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is the student's matter, not the grader's log's
        scopes.add(symtable.symtable(text, "<cell>", "exec"), deferred=False)
    own = list(_own_nodes(statement))
    binds = frozenset(_bound_by(own))
    flow = _Flow()
    surely = flow.step(statement, frozenset())
    changes, outside = Changes(), Outside(statement.lineno)
    changes.visit(statement)
    outside.visit(statement)
    reads = frozenset(scopes.now | flow.consumed & binds)
    both = changes.aliases, outside.aliases
    return Names(
        binds=binds,
        imports=frozenset(_bound_by(node for node in own if isinstance(node, ast.alias))),
        defines=frozenset(changes.defined | changes.classes),
        classes=frozenset(changes.classes),
        surely=surely & binds,
        needs=frozenset(flow.exposed) & reads | outside.now,
        reads=reads,
        later=frozenset(scopes.later | scopes.rebinds | outside.later),  # `x += 1` reads x, though symtable says stored
        rebinds=frozenset(scopes.rebinds),
        calls=frozenset(changes.called),
        instances=frozenset(changes.instances),
        touches={owner: _touches(owner, changes, outside) for owner in {**changes.touches, **outside.touches}},
        aliases={key: both[0].get(key, set()) | both[1].get(key, set()) for key in {**both[0], **both[1]}},
        parameters=changes.parameters,
        dynamic=frozenset(changes.dynamic),
        imported=tuple(outside.imports),
    )


def _touches(owner: str, changes: Changes, outside: Outside) -> tuple[Touch, ...]:
    return tuple(dict.fromkeys([*changes.touches.get(owner, ()), *outside.touches.get(owner, ())]))


class _Scopes:
    """The module-level names that a symbol table, and all that are nested in it, read."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.later: set[str] = set()
        self.rebinds: set[str] = set()

    def add(self, table: symtable.SymbolTable, deferred: bool) -> None:
        """Take the names of `table`; what a function's body reads is read later."""
        for symbol in table.get_symbols():
            name, is_global = symbol.get_name(), symbol.is_global() or table.get_type() == "module"
            if symbol.is_referenced() and is_global:
                (self.later if deferred else self.now).add(name)
            if deferred and symbol.is_declared_global() and (symbol.is_assigned() or symbol.is_imported()):
                self.rebinds.add(name)
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
        for name, is_load in _read_by(node):
            self.exposed |= {name} - bound
            self.consumed |= set() if is_load else {name}
        return bound | _bound_by(_own_nodes(node, surely=True))


def _read_by(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The names that `node` reads, and whether by loading them; what a comprehension binds is its own."""
    waiting: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset())]  # with what comprehensions around it bind
    while waiting:
        node, hidden = waiting.pop()
        children: Iterable[ast.AST] = ast.iter_child_nodes(node)
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name not in hidden:
                yield name, True
            case ast.Name(id=name, ctx=ast.Del()) | ast.AugAssign(target=ast.Name(id=name)) if name not in hidden:
                yield name, False
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                first = node.generators[0]  # what it goes through is read outside
                waiting.append((first.iter, hidden))
                hidden |= {name for part in node.generators for name in _stored(part.target)}
                children = [first.target, *first.ifs, *(child for child in children if child is not first)]
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                children = [*getattr(node, "decorator_list", ()), *_signature(node)]  # the body is read later
        waiting += [(child, hidden) for child in children]


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.expr]:
    """Defaults and annotations, which are evaluated where the function is defined."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    notes = [item.annotation for item in every if item and item.annotation]
    returned = getattr(node, "returns", None)
    return [
        *notes,
        *([returned] if returned else []),
        *arguments.defaults,
        *(item for item in arguments.kw_defaults if item),
    ]


def _stored(target: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _own_nodes(node: ast.AST, surely: bool = False) -> Iterator[ast.AST]:
    """`node` and what is below it in the same scope; `surely` leaves out a walrus, which may be skipped."""
    inner = (*_OWN_SCOPE, ast.NamedExpr) if surely else _OWN_SCOPE
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, inner):
            own = node.target if isinstance(node, ast.comprehension) else None
            waiting += [child for child in ast.iter_child_nodes(node) if child is not own]


def _bound_by(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that `nodes`, each by itself, bind."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.alias():
                names.add((node.asname or node.name).split(".")[0])
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                names.add(name)
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
    return names
