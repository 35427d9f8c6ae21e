"""Hatchling's hook for the wheel: an installed kit carries the exercises and data; solutions never.

An editable install must not: files below site-packages/autograder/ would hide the package in the clone.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CourseHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the course's folders as autograder/bundled/ to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling with "standard" or "editable"."""
        if version == "standard":
            for folder in ("exercises", "datasets"):
                build_data["force_include"][str(Path(self.root, folder))] = f"autograder/bundled/{folder}"
