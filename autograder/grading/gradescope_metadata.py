"""Gradescope's submission_metadata.yml: who handed in which folder of an export, and when."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class Submitter:
    """A person in Gradescope's submission_metadata.yml."""

    name: str
    sid: str = ""
    email: str = ""


@dataclass(frozen=True)
class Submission:
    """An entry of Gradescope's submission_metadata.yml: who handed a folder in, and when."""

    submitters: tuple[Submitter, ...] = ()
    created: str = ""


_FOLDER = re.compile(r"(?P<name>[^\s#-].*):\s*")
_SECTION = re.compile(r"  :(?P<key>\w+):(?P<value>.*)")
_FIELD = re.compile(r" {2,6}(?P<item>- )?:(?P<key>\w+):(?P<value>.*)")


def read_metadata(text: str) -> Mapping[str, Submission]:
    """Return folder -> who handed it in, read line by line.

    A YAML loader isn't needed for three levels. Other sections, such as `:history:`, hold their own lists of fields.
    """
    submissions: dict[str, Submission] = {}
    folder, section, people = "", "", list[dict[str, str]]()
    for line in text.splitlines():
        if match := _FOLDER.fullmatch(line):
            folder, section, people = _scalar(match["name"]), "", []
            submissions[folder] = Submission()
        elif match := _SECTION.fullmatch(line):
            section = match["key"]
            if section == "created_at" and folder:
                submissions[folder] = replace(submissions[folder], created=_scalar(match["value"]))
        elif section == "submitters" and folder and (match := _FIELD.fullmatch(line)):
            people += [{}] if match["item"] or not people else []
            people[-1][match["key"]] = _scalar(match["value"])
            submissions[folder] = replace(
                submissions[folder], submitters=tuple(_submitter(person) for person in people)
            )
    return MappingProxyType(submissions)


def _submitter(person: Mapping[str, str]) -> Submitter:
    return Submitter(person.get("name", ""), person.get("sid", ""), person.get("email", ""))


def _scalar(value: str) -> str:
    """A plain or quoted scalar of one line; \\u escapes as Ruby writes them are undone."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return unicodedata.normalize("NFC", text[1:-1].replace("''", "'"))
    if len(text) > 1 and text[0] == text[-1] == '"':
        plain = re.sub(r"\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})", _letter, text[1:-1])
        return unicodedata.normalize("NFC", re.sub(r"\\(.)", r"\1", plain))
    return unicodedata.normalize("NFC", "" if text in ("", "null", "~") else text)


def _letter(escape: re.Match[str]) -> str:
    number = int(next(part for part in escape.groups() if part), 16)
    return chr(number) if number < 0x110000 else "?"
