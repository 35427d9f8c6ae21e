"""The kit that is running, as a wheel: what students, an autograder image and a class repository install."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

import autograder

_LITTER = {"__pycache__", "bundled"}  # bundled: the exercises of an installed wheel; they go by themselves


def build_wheel(course: Mapping[str, bytes] | None = None) -> tuple[str, bytes]:
    """(file name, bytes) of a wheel of the running kit; the same files give the same bytes.

    `course` is what `ptqlab start` is to unpack: exercises/… and datasets/…, path -> bytes. Without it the wheel
    holds no
    exercise.
    """
    kit = distribution("ptqlab")
    package = Path(autograder.__file__).parent
    files = {
        f"autograder/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and not _LITTER.intersection(path.relative_to(package).parts)
    }
    files |= {f"autograder/bundled/{name}": data for name, data in (course or {}).items()}
    info = f"ptqlab-{kit.version}.dist-info"
    files |= {f"{info}/{name}": text.encode() for name, text in _metadata(kit).items()}
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"ptqlab-{kit.version}-py3-none-any.whl", zipped(files)


def _metadata(kit: Distribution) -> dict[str, str]:
    wheel = "Wheel-Version: 1.0\nGenerator: ptqlab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    about = "".join(
        line for line in (kit.read_text("METADATA") or "").splitlines(keepends=True) if "editables" not in line
    )  # an editable install needs that package, a wheel doesn't
    return {"METADATA": about, "entry_points.txt": kit.read_text("entry_points.txt") or "", "WHEEL": wheel}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def zipped(files: dict[str, bytes], executable: tuple[str, ...] = ()) -> bytes:
    """A zip with these files in the order of their names, without times, so that it can be compared."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
