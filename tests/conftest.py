"""Options and fixtures of the kit's own tests."""

import sys
from pathlib import Path

import pytest

# jsonschema compiles a grammar at import where it finds one, which takes each pytest process three CPU seconds: see autograder/course/sources.py
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --full` runs the proofs at full size (ten seeds, large classes): `make prove`."""
    parser.addoption("--full", action="store_true", help="full-size proofs: ten seeds, large classes, long fuzzing")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder with one exercise of three tasks."""
    from support import tiny_course  # after the line above about jsonschema

    return tiny_course.make_course(tmp_path_factory.mktemp("tiny"))
