"""exercise.toml -> Exercise: where the exercises lie, and what each of them asks for.

The file is checked by hand. With structs of msgspec, by which reports are checked, the same took 161 lines instead of
163, and an error named neither what came nor the keys that are known.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from keyword import iskeyword
from pathlib import Path
from typing import Any, NoReturn

from autograder.records import ITEMS, VALUES, Exercise, Limits, PtqlabError, RubricItem, Task, Text

LANGUAGES = ("en", "zh-TW")
COURSE_VARIABLE = "PTQLAB_COURSE"

VALUES_SHARE = 60  # percent of a task, where it asks for more than values
LEAST_SHARE = 10  # percent: a mistake costs a tenth of its task, never a thirtieth
MOST_OTHER_ITEMS = 4

_TASK_ID = re.compile(r"[0-9]+\.[0-9]+")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_SLUG = re.compile(r"([0-9]+)_[A-Za-z0-9_]+")
_PACKAGE = Path(__file__).resolve().parents[1]


def find_exercises(explicit: Path | None = None, solutions: Path | None = None) -> tuple[Exercise, ...]:
    """Return the course's exercises, in the order of their slugs.

    Looked for in `explicit` (a course folder, its `exercises/` or one exercise), then in the folder that the
    environment variable PTQLAB_COURSE names, then from the working folder upwards, then in the installed
    package. `solutions` defaults to the folder of that name beside `exercises/`.
    Raises PtqlabError when none is found or when an exercise.toml is wrong.
    """
    folders = _exercise_folders(explicit)
    if solutions is None:
        solutions = folders[0].parent.parent / "solutions"
    return tuple(load_exercise(folder, solutions) for folder in folders)


def pick_exercise(exercises: Sequence[Exercise], key: str) -> Exercise:
    """Return the one exercise that `key` names: its slug, its number ("01", "1") or one of its tasks ("1.1")."""
    matches = [exercise for exercise in exercises if _is_named(exercise, key.strip())]
    if len(matches) == 1:
        return matches[0]
    known = ", ".join(exercise.slug for exercise in matches or exercises) or "none"
    came = f"{key!r} names {len(matches)} of them" if matches else f"there is none called {key!r}"
    raise PtqlabError(f"Expected an exercise's slug, number or task; {came}. Choose one of: {known}.")


def load_exercise(folder: Path, solutions: Path | None = None) -> Exercise:
    """Return the exercise in `folder`, with its folder under `solutions` when that exists.

    Raises PtqlabError with one sentence that names the file, what was expected and what came.
    """
    folder = Path(os.path.abspath(folder))  # "." has no name
    path = folder / "exercise.toml"
    where = f"{folder.name}/exercise.toml"
    if not _SLUG.fullmatch(folder.name):
        expected = "an exercise folder named like 01_basic_quantization"
        raise PtqlabError(f"Expected {expected}, but it is {folder.name!r}; rename it.")
    table = _read_toml(path, where)
    _check_keys(table, where, required=("exercise", "task"), optional=("limits",))
    head = _table(table["exercise"], f"{where} [exercise]")
    _check_keys(head, f"{where} [exercise]", required=("title",), optional=("preload",))
    solution = solutions / folder.name if solutions is not None else None
    return Exercise(
        slug=folder.name,
        title=_text(head["title"], f"{where} [exercise] title"),
        tasks=_tasks(table["task"], where),
        limits=_limits(_table(table.get("limits", {}), f"{where} [limits]"), f"{where} [limits]"),
        folder=folder,
        solution=solution if solution is not None and solution.is_dir() else None,
        preload=_modules(head.get("preload", []), f"{where} [exercise] preload"),
    )


def _exercise_folders(explicit: Path | None) -> list[Path]:
    """The folders that hold an exercise.toml, from the first place that has any."""
    if explicit is not None:
        return _folders_under(explicit) or _no_exercises(f"in {explicit}", "Give the folder that holds exercises/.")
    named = os.environ.get(COURSE_VARIABLE)
    if named:
        cure = f"Set {COURSE_VARIABLE} to the folder that holds exercises/."
        return _folders_under(Path(named)) or _no_exercises(f"in {named}, which {COURSE_VARIABLE} names", cure)
    here = Path.cwd()
    for place in (here, *here.parents, _PACKAGE / "bundled", _PACKAGE.parent):
        if found := _toml_folders(place / "exercises"):
            return found
    return _no_exercises(f"from {here} upwards", f"Go to the course's folder or set {COURSE_VARIABLE} to it.")


def _folders_under(place: Path) -> list[Path]:
    """A course folder, its exercises/ or one exercise: whichever `place` is."""
    place = place.resolve()
    if (place / "exercise.toml").is_file():
        return [place]
    return _toml_folders(place / "exercises") or _toml_folders(place)


def _toml_folders(place: Path) -> list[Path]:
    return sorted(path.parent for path in place.glob("*/exercise.toml"))


def _no_exercises(came: str, cure: str) -> NoReturn:
    raise PtqlabError(f"Expected exercises/<exercise>/exercise.toml, but none was found {came}. {cure}")


def _is_named(exercise: Exercise, key: str) -> bool:
    number = exercise.slug.split("_")[0]
    by_number = key != "" and key.lstrip("0") == number.lstrip("0")
    return by_number or key == exercise.slug or any(task.id == key for task in exercise.tasks)


def _read_toml(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise PtqlabError(f"Expected {where}, but it cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PtqlabError(f"Expected TOML in UTF-8 in {where}, but it does not parse: {error}.") from None


def _check_keys(
    table: Mapping[str, Any], where: str, required: Collection[str], optional: Collection[str] = ()
) -> None:
    for key in required:
        if key not in table:
            raise PtqlabError(f"Expected {key!r} in {where}, but it is missing; add it.")
    for key in table:
        if key not in required and key not in optional:
            known = ", ".join([*required, *optional])
            raise PtqlabError(f"Expected only {known} in {where}, but {key!r} came; remove it or mend its spelling.")


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PtqlabError(f"Expected a table at {where}, but {value!r} came.")
    return value


def _text(value: Any, where: str) -> Text:
    """Every language, and nothing else; none of them blank."""
    table = _table(value, where)
    _check_keys(table, where, required=LANGUAGES)
    for language, text in table.items():
        if not isinstance(text, str) or not text.strip():
            raise PtqlabError(f"Expected a sentence at {where}, {language}, but {text!r} came.")
    return table


def _positive(value: Any, where: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise PtqlabError(f"Expected a number above 0 at {where}, but {value!r} came.")
    return float(value)


def _limits(table: dict[str, Any], where: str) -> Limits:
    kinds = {item.name: item.type for item in fields(Limits)}
    _check_keys(table, where, required=(), optional=tuple(kinds))
    for key, value in table.items():
        _positive(value, f"{where} {key}")
        if kinds[key] == "int" and not isinstance(value, int):
            raise PtqlabError(f"Expected a whole number at {where} {key}, but {value!r} came.")
    return Limits(**table)


def _tasks(value: Any, where: str) -> tuple[Task, ...]:
    if not isinstance(value, list) or not value:
        raise PtqlabError(f"Expected at least one [[task]] in {where}, but {value!r} came.")
    tasks = tuple(_task(item, f"{where} [[task]] {number}") for number, item in enumerate(value, start=1))
    ids = [task.id for task in tasks]
    for name in ids:
        if ids.count(name) > 1:
            raise PtqlabError(f"Expected each task's id once in {where}, but {name!r} came {ids.count(name)} times.")
    return tasks


def _task(value: Any, where: str) -> Task:
    table = _table(value, where)
    required = ("id", "functions", "points", "title", "hint", "rubric")
    _check_keys(table, where, required, optional=("bonus",))
    bonus = table.get("bonus", False)
    if not isinstance(bonus, bool):
        raise PtqlabError(f"Expected true or false at {where} bonus, but {bonus!r} came.")
    return Task(
        id=_task_id(table["id"], where),
        title=_text(table["title"], f"{where} title"),
        functions=_functions(table["functions"], f"{where} functions"),
        points=_positive(table["points"], f"{where} points"),
        hint=_text(table["hint"], f"{where} hint"),
        rubric=_rubric(table["rubric"], f"{where} rubric"),
        bonus=bonus,
    )


def _task_id(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _TASK_ID.fullmatch(value):
        raise PtqlabError(f'Expected an id like "1.1" at {where}, but {value!r} came.')
    return value


def _rubric(value: Any, where: str) -> tuple[RubricItem, ...]:
    """Return the items, whose shares are those that the contract allows."""
    if not isinstance(value, list) or not value:
        raise PtqlabError(f"Expected at least one [[task.rubric]] at {where}, but {value!r} came.")
    rubric = tuple(_rubric_item(item, f"{where} {number}") for number, item in enumerate(value, start=1))
    shares = {item.item: item.share for item in rubric}
    if len(shares) < len(rubric):
        raise PtqlabError(f"Expected each item once at {where}, but {', '.join(i.item for i in rubric)} came.")
    least = VALUES_SHARE if len(shares) > 1 else 100
    if shares.get(VALUES) != least:
        came = f"share = {shares[VALUES]}" if VALUES in shares else "no such item"
        raise PtqlabError(f'Expected the item "{VALUES}" with share = {least} at {where}, but {came} came.')
    if len(shares) > 1 + MOST_OTHER_ITEMS:
        raise PtqlabError(
            f"Expected at most {MOST_OTHER_ITEMS} items beside {VALUES} at {where}, but {len(shares) - 1} came."
        )
    for item, share in shares.items():
        if share < LEAST_SHARE:
            raise PtqlabError(f"Expected a share of at least {LEAST_SHARE} at {where}, {item}, but {share} came.")
    if sum(shares.values()) != 100:
        raise PtqlabError(f"Expected shares that add up to 100 at {where}, but they add up to {sum(shares.values())}.")
    return rubric


def _rubric_item(value: Any, where: str) -> RubricItem:
    table = _table(value, where)
    _check_keys(table, where, required=("item", "share", "text"), optional=("hint",))
    item, share = table["item"], table["share"]
    if item not in ITEMS:
        raise PtqlabError(f"Expected one of {', '.join(ITEMS)} at {where} item, but {item!r} came.")
    if type(share) is not int:
        raise PtqlabError(f"Expected a whole number of percent at {where} share, but {share!r} came.")
    hint = _text(table["hint"], f"{where} hint") if "hint" in table else {}
    return RubricItem(item, share, _text(table["text"], f"{where} text"), hint)


def _functions(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(_is_name(name) for name in value):
        raise PtqlabError(f"Expected a list of function or class names at {where}, but {value!r} came.")
    if len(set(value)) < len(value):
        raise PtqlabError(f"Expected each name once at {where}, but {value!r} came.")
    return tuple(value)


def _modules(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) and _MODULE.fullmatch(v) for v in value):
        raise PtqlabError(f'Expected a list of modules like "transformers.models.bert" at {where}, but {value!r} came.')
    return tuple(value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and not iskeyword(value)
