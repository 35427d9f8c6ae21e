"""Data from a JSON or TOML file, checked by msgspec: types, keys, members of enums, with the place of what is wrong.

msgspec ignores keys that a dataclass does not have. A struct refuses them, so a dataclass is read by way of a struct
with the same fields.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
Field = tuple[type, str]
"""A dataclass and the name of one of its fields."""


def struct_of(noun: type, kinds: Mapping[Field, Any], keys: Mapping[Field, str]) -> type[msgspec.Struct]:
    """Return a struct with the fields of a dataclass and of the dataclasses in it: all required, and no others.

    `kinds` are the types of fields that are narrower in the file, `keys` the names of fields that differ there.
    """

    def in_file(kind: Any) -> Any:
        if dataclasses.is_dataclass(kind):
            return struct_of(typing.cast(type, kind), kinds, keys)
        origin, arguments = typing.get_origin(kind), tuple(map(in_file, typing.get_args(kind)))
        if origin is UnionType:
            return typing.Union[arguments]  # noqa: UP007 - X | Y can't be written for a tuple
        return origin[arguments] if origin else kind

    annotations = typing.get_type_hints(noun)
    names = [field.name for field in dataclasses.fields(noun)]
    return msgspec.defstruct(
        noun.__name__,
        [(name, kinds.get((noun, name)) or in_file(annotations[name])) for name in names],
        rename={name: keys[noun, name] for name in names if (noun, name) in keys},
        forbid_unknown_fields=True,
    )


def checked(kind: type[T], data: object, root: str) -> T:
    """Return plain data, or the attributes of an object, as a struct or dataclass.

    Raises ValueError, which names the place from `root` on: "expected `int`, got `str` at report.seed".
    """
    try:
        return msgspec.convert(data, kind, from_attributes=True)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise ValueError(f"{problem[0].lower()}{problem[1:]} at {root}{path.rstrip('`')}") from None
