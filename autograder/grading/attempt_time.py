"""The time of an attempt, as Brightspace writes it into names of folders, in the language of the teacher.

The names' form is <number>-<number> - <name> - <time> (squell/bb-scripts issues 48 and 54).
"""

from __future__ import annotations

import re
from datetime import datetime

# English, German, French, Spanish, Dutch, Portuguese
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier janv enero ene januari janeiro",
            "feb february februar février févr fév febrero februari fevereiro",
            "mar march märz mär mars marzo maart março",
            "apr april avril avr abril abr",
            "may mai mayo mei maio",
            "jun june juni juin junio junho",
            "jul july juli juillet juil julio julho",
            "aug august août agosto ago augustus",
            "sep sept september septembre septiembre setembro",
            "oct october okt oktober octobre octubre outubro",
            "nov november novembre noviembre novembro",
            "dec december dez dezember déc décembre dic diciembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
_DATE_IN_NUMBERS = re.compile(r"(\d{4})[年.-] ?(\d{1,2})[月.-] ?(\d{1,2})日?")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):?(\d\d)(?: ?([ap])\.?m\b)?(?!\d)", re.IGNORECASE)
_HALVES = {"上午": "a", "下午": "p", "午前": "a", "午後": "p", "오전": "a", "오후": "p"}  # stand before the clock


def read_time(text: str) -> str | None:
    """Return a day and a time of day in ISO 8601: of "Nov 20, 2026 1101 PM", "20. November 2026 2301" and the like."""
    if match := _DATE_IN_NUMBERS.search(text):
        year, month, day = (int(part) for part in match.groups())
        clock = text[match.end() :]
    else:
        year, month, day, clock = _date_in_words(text)
    time = _CLOCK.search(clock)
    if time is None:
        return None
    half = (time[3] or next((_HALVES[word] for word in _HALVES if word in clock), "")).casefold()
    hour = int(time[1]) % 12 + (12 if half == "p" else 0) if half else int(time[1])
    try:
        return datetime(year, month, day, hour, int(time[2])).isoformat(timespec="minutes")
    except ValueError:
        return None


def _date_in_words(text: str) -> tuple[int, int, int, str]:
    """Year, month, day, and what follows the year; zeros where they can't be told."""
    year = re.search(r"\b(?:19|20)\d\d\b", text)
    words = re.findall(r"[^\W\d_]+", text[: year.start()]) if year else []
    month = next((_MONTHS[word] for word in map(str.casefold, words) if word in _MONTHS), 0)
    day = re.search(r"\b\d{1,2}\b", text[: year.start()]) if year else None
    return (int(year[0]), month, int(day[0]), text[year.end() :]) if year and day else (0, 0, 0, "")
