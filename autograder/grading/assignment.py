"""The settings of one assignment, kept beside its grades: the seed and the language."""

from __future__ import annotations

import json
import secrets as secret_numbers
from pathlib import Path

from autograder.records import PtqlabError
from autograder.report.atomic import write_atomically

SETTINGS_FILE = "assignment.json"


def assignment_seed(out: Path, given: int | None, language: str = "en") -> int:
    """Return the assignment's seed: as given, else as kept beside the grades, else drawn once and kept there."""
    kept = _kept_settings(out)
    seed = given if given is not None else kept.get("seed")
    if type(seed) is not int:
        if (out / SETTINGS_FILE).is_file():
            raise PtqlabError(f"Expected a seed in {out / SETTINGS_FILE}, but it holds none; give one with --seed.")
        seed = secret_numbers.randbelow(2**31)
    if kept != (settings := {"seed": seed, "language": language}):
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / SETTINGS_FILE, json.dumps(settings) + "\n")
    return seed


def kept_language(out: Path) -> str:
    """Return the language that the class was graded in; English where none is kept."""
    return "zh-TW" if _kept_settings(out).get("language") == "zh-TW" else "en"


def _kept_settings(out: Path) -> dict[str, object]:
    """Return the settings kept beside the grades; empty where there are none, or none that can be read."""
    try:
        settings = json.loads((out / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}
