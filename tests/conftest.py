"""Options and fixtures of the kit's own tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --full` runs the proofs at full size (ten seeds, large classes): `make prove`."""
    parser.addoption("--full", action="store_true", help="full-size proofs: ten seeds, large classes, long fuzzing")
