"""Options and fixtures of the kit's own tests."""

import sys

import pytest

# jsonschema compiles a grammar at import where it finds one, which takes each pytest process three CPU seconds: see autograder/course/sources.py
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --full` runs the proofs at full size (ten seeds, large classes): `make prove`."""
    parser.addoption("--full", action="store_true", help="full-size proofs: ten seeds, large classes, long fuzzing")
