"""Files at the student's end: an artifact is what a function wrote, as bytes, and nothing else."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

MOST_FILES = 1000
_FOLDERS = contextlib.ExitStack()  # keeps them: a temporary folder ends with its object


def folder() -> str:
    """A new, empty folder, which ends with this process."""
    return _FOLDERS.enter_context(tempfile.TemporaryDirectory(prefix="artifact-", ignore_cleanup_errors=True))


def files(path: str) -> dict[str, Tensor]:
    """Every regular file below a folder (or the file itself): its relative path and its bytes as uint8 [size].

    Raises ValueError when there is nothing there, or too much.
    """
    root = Path(path)
    if not root.exists():
        raise ValueError("expected a file to be written there, but there is none")
    paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    if len(paths) > MOST_FILES:
        raise ValueError(f"expected at most {MOST_FILES} files, but {len(paths)} were written")
    return {p.name if p == root else p.relative_to(root).as_posix(): _content(p) for p in paths}


def _content(path: Path) -> Tensor:
    data = bytearray(path.read_bytes())
    return torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def put(contents: Mapping[str, Tensor]) -> str:
    """Write files (uint8 [size] by relative path) into a new folder; returns the folder."""
    root = Path(folder())
    for name, content in contents.items():
        path = root / name
        if os.path.isabs(name) or ".." in path.parts:
            raise ValueError(f"expected a path below the folder, got {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.numpy().tobytes())
    return str(root)
