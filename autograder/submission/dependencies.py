"""Which statements a name depends on, once all of a module's statements are known.

A call acts through the functions that it reaches: `_fill()` changes TABLE when `_fill` does. Graded functions
are the exception: an experiment that calls one is not what a grade depends on.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from autograder.submission.bindings import Names
from autograder.submission.mutations import SWITCH, Objects, Touch
from autograder.submission.outside import FILE
from autograder.submission.packages import KNOWN

ANYTHING = "*"
_SHOWING = re.compile(r"(assert|check|display|draw|log|plot|pprint|print|save|show)\w*|len|repr|str|type|help")
_SHOWING_MODULES = frozenset(
    ("plt", "matplotlib", "sns", "px", "go", "pd", "IPython", "logging", "logger", "warnings", "json", "pickle")
)

_LONGEST_CHAIN = 5  # functions that pass an argument on before one of them changes it

_Slots = dict[str, dict[str | int, str]]  # function -> parameter, by name and by position -> how it is changed


class Effects:
    """What each of a module's statements binds or changes, its functions' effects included."""

    def __init__(self, statements: Sequence[Names], wanted: frozenset[str]) -> None:
        self._statements = statements
        self._wanted = wanted
        self._defines = frozenset(name for names in statements for name in names.defines)
        self._classes = frozenset(name for names in statements for name in names.classes)
        imports = frozenset(name for names in statements for name in names.imports)
        assigned = frozenset(name for names in statements for name in names.binds - names.imports - names.defines)
        self._imports = imports - assigned - self._defines
        self._members = {item.name: item.member for names in statements for item in names.imported}
        self._packages = {item.name: item.module.partition(".")[0] for names in statements for item in names.imported}
        self._of_package = _inverted(self._packages)
        touches = [item for names in statements for item in names.touches.items()]
        self._storing = frozenset(owner for owner, own in touches if any(touch.how == "store" for touch in own))
        self._values = assigned - self._defines - wanted  # names of data: tables, counters, settings
        self._binders = _index(names.binds for names in statements)
        self._aliases = _module_aliases(statements, self._imports)
        self._changed = self._parameter_changes()
        self._callees = self._called_by_each()
        self._own: dict[str, frozenset[str]] = {}  # a memo
        self._reached: dict[str, frozenset[str]] = {}  # a memo
        self._touched = [self._touched_by(names) for names in statements]
        self._touchers = _index(self._touched)

    def providers(self, name: str, position: int, told: set[tuple[str, int, bool]]) -> Iterator[int]:
        """The statements that make `name` what it is when statement `position` reads it.

        Bindings back to one that is sure to happen, or all of them when `position` is the module's end (a
        function may be called at any time); and whatever changes the object, wherever it stands. `told` holds
        what was yielded before: where a walk meets an earlier one's way, the rest is known.
        """
        at_end = position == len(self._statements)
        if (name, -1, True) not in told:
            told.add((name, -1, True))
            yield from self._touchers.get(name, ())
        binders = self._binders.get(name, [])
        for index in map(binders.__getitem__, reversed(range(bisect_left(binders, position)))):
            if (name, index, at_end) in told:
                return
            told.add((name, index, at_end))
            yield index
            if not at_end and name in self._statements[index].surely:
                return

    def binds_anything(self, index: int) -> bool:
        """Whether statement `index` may bind or change any name: exec, globals() and the like."""
        return "" in self._statements[index].dynamic or ANYTHING in self._touched[index]

    def sets_interpreter(self, index: int) -> bool:
        """Whether statement `index` sets something that works on all code: `sys.setrecursionlimit(5000)`."""
        touches = self._statements[index].touches.get("", ())
        return any(touch.how == "switch" and self._packages.get(touch.name) == "sys" for touch in touches)

    def reads_anything(self, index: int) -> bool:
        """Whether statement `index`, or a function that it defines, may read any name."""
        return bool(self._statements[index].dynamic)

    def definitions(self) -> frozenset[str]:
        """All names that are bound without the help of a graded function: everything but experiments."""
        return frozenset(name for names in self._statements if not names.reads & self._wanted for name in names.binds)

    def _touched_by(self, names: Names) -> frozenset[str]:
        """What running a statement changes: by itself, and through the functions that it may call."""
        touched = set(self._changed_names(names, ""))
        if names.binds <= {"_"}:  # a lambda that it hands to another function is there to be called
            touched.update(self._changed_names(names, "lambda"))
        called = (names.reads & self._defines) | (names.calls & self._values)
        for instance in names.instances & self._values:
            called |= self._callees.get(instance, set()) & self._classes
        for function in called:
            touched |= self._effects_of(function)
        of_libraries = [self._of_package[self._packages[name]] for name in touched & self._imports]
        return frozenset(touched.union(*of_libraries))

    def _changed_names(self, names: Names, owner: str) -> Iterator[str]:
        """The module-level names whose objects `owner`'s own statements change."""
        for touch in names.touches.get(owner, ()):
            if touch.how == "result":
                yield from self._returnable(touch.name)
                continue
            if touch.how in ("switch", "decoration"):
                yield from self._of_definitions(touch)
                continue
            how = self._how(touch, self._changed)
            for name in self._same_objects(names, owner, touch) if how else ():
                called = touch.how == "call" and name == touch.name and name not in self._imports
                if how == "store" or called or name in self._values or name.startswith(FILE):
                    yield name

    def _of_definitions(self, touch: Touch) -> Iterator[str]:
        """The library that a call sets something of; the class to which a decorator may add the decorated function."""
        decorator = touch.via.removesuffix(".")
        own = decorator in self._storing or decorator in self._values
        imported = decorator in self._imports and self._packages[decorator] not in KNOWN
        is_added = touch.how == "decoration" and touch.name in self._classes and decorator not in self._wanted
        if (is_added and (own or imported)) or (touch.how == "switch" and self._is_switch(touch)):
            yield touch.name

    def _is_switch(self, touch: Touch) -> bool:
        """Whether a call sets something of a library, by a setter of its module (`deep`) or by an imported setter."""
        is_setter = touch.deep or bool(SWITCH.fullmatch(self._members.get(touch.name, "")))
        return touch.name in self._imports and is_setter

    def _same_objects(self, names: Names, owner: str, touch: Touch) -> set[str]:
        """The module-level names that may be other names of what `owner` changes."""
        found = {(touch.name, touch.deep)}
        if owner:
            known = names.later | names.rebinds
            found = {item for item in _closure(touch.name, touch.deep, _aliases_of(names, owner)) if item[0] in known}
        return {other for name, deep in found for other, _ in _closure(name, deep, self._aliases)}

    def _returnable(self, function: str) -> Iterator[str]:
        """The data that `function` reads, any of which it may return."""
        if function not in self._wanted:
            for index in self._binders.get(function, ()):
                for name in self._statements[index].later & self._values:
                    yield from (other for other, _ in _closure(name, True, self._aliases))

    def _how(self, touch: Touch, changed: _Slots) -> str:
        """How `touch` changes its object: store, call, or "" for not at all.

        A student's own function is looked into for what it does with an argument; of others only a call that
        stands alone, and does not merely show something, is taken to change what it is given.
        """
        if touch.how != "argument":
            return "" if touch.how in ("switch", "decoration") else touch.how
        if touch.via in self._wanted:
            return ""
        if touch.via in self._defines:
            return changed.get(touch.via, {}).get(touch.slot, "")
        module = touch.via.removesuffix(".")
        if touch.via.endswith("."):
            acts = module in self._imports and module not in _SHOWING_MODULES
        else:  # a built-in, other than next, leaves its arguments alone
            acts = (module in self._binders or module == "next") and not _SHOWING.fullmatch(module)
        return "call" if touch.statement and acts else ""

    def _parameter_changes(self) -> _Slots:
        """What each function does to the objects that it is given."""
        changed: _Slots = {}
        for _ in range(_LONGEST_CHAIN):
            for names in self._statements:
                for function, parameters in names.parameters.items():
                    slots = changed.setdefault(function, {})
                    for name, how in self._changed_parameters(names, function, changed):
                        for slot in (name, parameters.index(name)):
                            slots[slot] = "store" if "store" in (how, slots.get(slot)) else how
        return changed

    def _changed_parameters(self, names: Names, function: str, changed: _Slots) -> Iterator[tuple[str, str]]:
        """The parameters of `function` whose objects it changes, by what is known of the others so far."""
        aliases = _aliases_of(names, function)
        for touch in names.touches.get(function, ()):
            if how := self._how(touch, changed):
                objects = {name for name, _ in _closure(touch.name, touch.deep, aliases)}
                yield from ((name, how) for name in objects & set(names.parameters[function]))

    def _effects_of(self, function: str) -> frozenset[str]:
        """The names whose objects change when `function` is called, directly or through what it calls."""
        if function not in self._reached:
            own = (self._own_effects(name) for name in self._reachable(function))
            self._reached[function] = frozenset().union(*own)
        return self._reached[function]

    def _own_effects(self, function: str) -> frozenset[str]:
        """What the statements in `function` change, in any of its definitions."""
        if function not in self._own:
            effects: set[str] = set()
            for names in (self._statements[index] for index in self._binders.get(function, ())):
                effects.update(self._changed_names(names, function), self._changed_names(names, "lambda"))
                effects |= names.rebinds
                effects |= {ANYTHING} if names.dynamic else set()
            self._own[function] = frozenset(effects)
        return self._own[function]

    def _reachable(self, function: str) -> set[str]:
        """The functions that a call of `function` may call, graded ones left out."""
        found: set[str] = set()
        todo = [function]
        while todo:
            name = todo.pop()
            if name not in found and name not in self._wanted:
                found.add(name)
                todo += self._callees.get(name, ())
        return found

    def _called_by_each(self) -> dict[str, set[str]]:
        """Function -> the functions that it may call; a value that is called may be a partial or a lambda."""
        functions = self._defines | self._values
        callees: dict[str, set[str]] = {}
        for names in self._statements:
            later, now = names.later & functions, names.reads & functions
            for name in names.binds:
                callees.setdefault(name, set()).update(later, now if name in self._values else ())
        return callees


def _index(names_of_each: Iterable[Iterable[str]]) -> dict[str, list[int]]:
    """Name -> the positions where it stands, ascending."""
    found: dict[str, list[int]] = {}
    for position, names in enumerate(names_of_each):
        for name in names:
            found.setdefault(name, []).append(position)
    return found


def _inverted(names: Mapping[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, value in names.items():
        found.setdefault(value, set()).add(name)
    return found


def _module_aliases(statements: Iterable[Names], imports: frozenset[str]) -> dict[str, Objects]:
    """Name -> what it may stand for, as the statements themselves assign it; a module's parts are not followed."""
    merged: dict[str, Objects] = {}
    for names in statements:
        for name, objects in _aliases_of(names, "").items():
            merged.setdefault(name, set()).update(item for item in objects if item[0] not in imports)
    return merged


def _aliases_of(names: Names, owner: str) -> dict[str, Objects]:
    return {name: objects for (whose, name), objects in names.aliases.items() if whose == owner}


def _closure(name: str, deep: bool, aliases: Mapping[str, Objects]) -> set[tuple[str, bool]]:
    """The names whose objects change with that of `name`, each with whether a part of it changes.

    Of a new container only a change inside what it holds counts: `info = {"top": TOP}; info["bits"] = 4` is no
    change of TOP.
    """
    found: set[tuple[str, bool]] = set()
    todo = [(name, deep)]
    while todo:
        item = todo.pop()
        if item not in found:
            found.add(item)
            for other, relation in aliases.get(item[0], ()):
                if relation != "holds" or item[1]:
                    todo.append((other, item[1] or relation == "part"))
    return found
