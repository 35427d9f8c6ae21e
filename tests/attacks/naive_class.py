"""A class's folder as one grades it first: every archive unpacked, every path and every cell believed.

The positive control for what is handed in. Notebooks are run as nbgrader runs them: the test cells get the source that
was handed out, by their grade_id, all code cells run in order in one IPython shell, and a test cell that raises nothing
earns the points that its metadata names. Each class is graded in a process of its own that writes below its folder only.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import Attack, Target, read_built
from ours_class import hand_in
from small import CHECKS, HONEST, SLUG, handed_to_the_grader

CPU_S, MEMORY, FILE = 2, 2 << 30, 64 << 20
TIME_S, PATIENT_S = 5.0, 300.0  # for an attack that sleeps, and for one that ends


def unpack(archive: Path, into: Path) -> None:
    """Whatever it holds, wherever its names say."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                target = into / info.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                target.mkdir(exist_ok=True) if info.is_dir() else target.write_bytes(packed.read(info))
    else:
        with tarfile.open(archive) as bundle:
            bundle.extractall(into)


def archives(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".zip", ".tar", ".gz", ".tgz"))


def grade_class(base: Path) -> dict[str, float]:
    handed = handed_to_the_grader(base)
    folder = base / "class"
    if handed.is_file():
        folder = base / "unpacked"
        unpack(handed, folder)
    while found := archives(folder):
        for path in found:
            unpack(path, folder / path.name.rpartition(".")[0] if path.parent == folder else path.parent)
            path.unlink()
    scores = {path.stem: grade_file(path) for path in sorted(folder.iterdir()) if path.suffix in (".py", ".ipynb")}
    for student in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(student.rglob(f"{SLUG}.*"))
        scores[student.name] = grade_file(files[0]) if files else 0.0
    return scores


def grade_file(path: Path) -> float:
    text = path.read_text(encoding="utf-8")
    return run_notebook(json.loads(text)) if path.suffix == ".ipynb" else run_module(text)


def run_module(text: str) -> float:
    scope: dict[str, Any] = {}
    try:
        exec(text, scope)
    except Exception:
        return 0.0
    return 2.0 * sum(passes(source, scope) for source in CHECKS.values())


def passes(source: str, scope: dict[str, Any]) -> bool:
    try:
        exec(source, scope)
    except Exception:
        return False
    return True


def run_notebook(book: dict[str, Any]) -> float:
    from IPython.core.interactiveshell import InteractiveShell

    shell, points = InteractiveShell(), 0.0
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    ids = [mark["grade_id"] for mark in marks if mark.get("grade")]
    if len(set(ids)) < len(ids):
        raise ValueError("duplicate grade_id")
    for cell, mark in zip(cells, marks, strict=True):
        source = CHECKS.get(mark.get("grade_id", ""), "".join(cell["source"]))
        done = shell.run_cell(source)
        points += mark["points"] if mark.get("grade") and done.success else 0
    return points


def grade_jailed(base: Path, tell: int) -> None:
    """In a process of its own, under limits that keep this machine whole. Does not return."""
    from autograder.sandbox import kernel

    code = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        limits = {"AS": MEMORY, "CPU": CPU_S, "FSIZE": FILE, "NOFILE": 256}
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        if kernel.landlock_abi():
            kernel.landlock(["/"], [str(base.parent)], [os.devnull], files_only=True)
        os.environ["IPYTHONDIR"] = os.environ["HOME"] = str(base.parent / "home")
        os.write(tell, json.dumps(grade_class(base)).encode())
        code = 0
    finally:
        os._exit(code)


def grade_attack(attack: Attack, parent: Path, target: Target) -> dict[str, Any]:
    base = parent / attack.name / "base"
    base.mkdir(parents=True)
    (base.parent / "home").mkdir()
    hand_in(attack, base, target)
    target.folders, target.own = (base.parent,), base.parent
    target.seen = target._names()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        grade_jailed(base, tell)
    os.close(tell)
    scores = wait(child, told, TIME_S if attack.wins_if == "no report" else PATIENT_S)
    if scores is None:
        return {"points": 0.0, "hits": sorted({"no report"} | target.hits())}
    hits = target.hits()
    graded = base / ("unpacked" if (base / "unpacked").exists() else "class")
    kept = [path.read_text() == HONEST for path in graded.rglob("*.py") if "honest" in (path.stem, *path.parts)]
    hits |= {"neighbour"} if scores.pop("honest", None) != 2.0 or kept != [True] else set()
    points = max(scores.values(), default=0.0)
    return {"points": points, "hits": sorted(hits | ({"points"} if points else set()))}


def wait(child: int, told: int, seconds: float) -> dict[str, float] | None:
    """What the grader said; None when it died or did not come to an end."""
    deadline, code = time.monotonic() + seconds, None
    while code is None and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if done else None
        time.sleep(0.002)
    if code is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with os.fdopen(told, "rb") as facts:
        return dict(json.loads(facts.read())) if code == 0 else None


def main(names: Sequence[str]) -> None:
    """Grade what the attacks hand in, all or those named, and print what came of each as JSON."""
    import IPython.core.interactiveshell  # noqa: F401 - before the forks
    from IPython.core.history import HistoryManager

    HistoryManager.enabled = False
    with tempfile.TemporaryDirectory() as parent, Target() as target:
        results = {attack.name: grade_attack(attack, Path(parent), target) for attack in read_built(names)}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
