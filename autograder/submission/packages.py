"""Which packages there are for an answer to import, and what is told of one that is missing."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "transformers",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "safetensors",
    "matplotlib",
    "tqdm",
)
"""Those that an answer may rely on, beside the standard library: the kit depends on them."""
TOOLS = ("pytest", "pytest_jsonreport", "nbformat", "rich", "jinja2", "msgpack", "msgspec", "typer")
"""Those that the kit itself needs."""
KNOWN = frozenset((*sys.stdlib_module_names, *PACKAGES, *TOOLS, "autograder"))


@cache
def installed() -> frozenset[str]:
    """Return the names of all modules at the top level that can be imported here; nothing is imported to tell."""
    folders = [Path(folder) for folder in sys.path if Path(folder).is_dir()]
    files = (file.name.partition(".")[0] for folder in folders for file in folder.iterdir())
    loaded = (name.partition(".")[0] for name in sys.modules)  # an editable install lies on no path
    return frozenset((*sys.stdlib_module_names, *sys.builtin_module_names, *loaded, *files))


def missing(package: str, place: str) -> str:
    """Return the headline of a task that an import cost: "pandas isn't available to the grader; imported in cell 6"."""
    where = f"in {place.partition(',')[0]}" if place.startswith("cell") else f"on {place}"
    return f"{package} isn't available to the grader; imported {where}"
