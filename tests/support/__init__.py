"""Helpers that tests share. pytest finds this package by its `pythonpath`; scripts put `tests/` on the path."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = Path(__file__).resolve().parent
