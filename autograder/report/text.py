"""Text that students wrote, made safe to look at: nothing invisible, reordering or endless."""

from __future__ import annotations

import re
import unicodedata
from html import escape

from autograder.records import PtqlabError, Text

LANGUAGES = ("en", "zh-TW")

NAME_LIMIT = 80  # characters of a student's or an exercise's name that are shown
LINE_LIMIT = 400  # characters of a claim, a note or a reason
MESSAGE_LIMIT = 2000  # characters of one diagnostic
MESSAGE_LINES = 40

# Letters and symbols by Unicode's categories, and yet blank on every screen.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_COMBINING_RUN = 4  # more marks than this on one letter ("zalgo") are named instead of stacked


def visible(text: str) -> str:
    """`text` with control, bidirectional and blank characters spelled out: ⟨U+202E⟩. Newlines, tabs stay."""
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        shown.append(char if _is_plain(char) and run <= _COMBINING_RUN else f"⟨U+{ord(char):04X}⟩")
    return "".join(shown)


def visible_line(text: str) -> str:
    """Like `visible`, on one line: newlines and tabs are spelled out too."""
    return re.sub(r"[\n\t]", lambda hit: f"⟨U+{ord(hit[0]):04X}⟩", visible(text))


def clip(text: str, limit: int = LINE_LIMIT, lines: int = MESSAGE_LINES) -> str:
    """`text` cut to `limit` characters and `lines` lines, saying how much was left out."""
    kept = "\n".join(text[:limit].split("\n", lines)[:lines])
    left = len(text) - len(kept)
    return f"{kept} … ({left:,} more characters)" if left > 0 else text


def one_line(text: str, limit: int = NAME_LIMIT) -> str:
    """A name or a title, clipped and without anything invisible."""
    return visible_line(clip(text, limit))


def as_html(text: str) -> str:
    """`text` visible and escaped, with `code` between backticks as a <code> element."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(visible(text)))


def number(points: float, digits: int = 2) -> str:
    """Points without trailing zeros: 4, 2.4, 0.33."""
    return f"{round(points, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")


def in_language(text: Text, language: str) -> str:
    """`text` in `language`, else in English, else in whichever language there is, else empty."""
    return text.get(language) or text.get("en") or next(iter(text.values()), "")


def checked_language(language: str) -> str:
    """`language`, if the kit has labels for it. Raises PtqlabError otherwise."""
    if language not in LANGUAGES:
        raise PtqlabError(f"Expected a language that the kit speaks ({' or '.join(LANGUAGES)}), got {language!r}.")
    return language


def _is_plain(char: str) -> bool:
    if char in _BLANK:
        return False
    # isprintable is False for controls, formats (bidi, zero width), surrogates, private use and unassigned
    # ones, and for every space but U+0020; typographic spaces such as U+3000 are ordinary text
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"
