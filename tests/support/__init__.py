"""Helpers that tests share. pytest finds this package by its `pythonpath`; scripts put `tests/` on the path."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = Path(__file__).resolve().parent


def files_under(folder: Path) -> list[Path]:
    """The files of a folder, without what Python compiled beside its scripts."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
