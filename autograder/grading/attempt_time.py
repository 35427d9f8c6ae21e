"""The time of an attempt, as Brightspace writes it into names of folders, in the language of the teacher."""

from __future__ import annotations

import re
from datetime import datetime

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero ene janv",
            "feb february februar février fév févr febrero",
            "mar march märz mär mars marzo",
            "apr april avril avr abril abr",
            "may mai mayo",
            "jun june juni juin junio",
            "jul july juli juillet juil julio",
            "aug august août agosto ago",
            "sep sept september septembre septiembre",
            "oct october okt oktober octobre octubre",
            "nov november novembre noviembre",
            "dec december dez dezember déc décembre dic diciembre",
        ),
        start=1,
    )
    for name in names.split()
}
_CJK_DATE = re.compile(r"(\d{4})[年.] ?(\d{1,2})[月.] ?(\d{1,2})日?")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):?(\d\d)(?: ?([AaPp])\.?[Mm]\b\.?)?(?!\d)")


def read_time(text: str) -> str | None:
    """Return a day and a time of day in ISO 8601: of "Nov 20, 2026 1101 PM", "20. November 2026 2301" and the like."""
    if found := _CJK_DATE.search(text):
        year, month, day = (int(part) for part in found.groups())
        clock = text[found.end() :]
    else:
        year, month, day, clock = _date_in_words(text)
    time = _CLOCK.search(clock)
    if time is None:
        return None
    hour = int(time[1])
    if time[3]:
        hour = hour % 12 + (12 if time[3] in "Pp" else 0)
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
