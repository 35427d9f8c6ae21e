"""A grader as one writes it first: it imports the student's module beside its tests and believes what pytest says.

Against it most of the bank wins, which shows that the attacks are real. It is a positive control, not a straw man:
plain tests with torch.equal and approx, a reference solution to compare with, a JSON report, an exit code.
Each attack gets a process of its own, under limits that keep this machine whole.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ESCAPE, INPUT, ROOT, SCRIPT, SECRET, Attack, Target, children_of, read_bank

TESTS = """
import json, pathlib, sys

import pytest
import torch

import submission
import reference

EXPECTED = json.loads((pathlib.Path(__file__).parent / "expected.json").read_text())


def test_symmetric():
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    want_q, want_scale = reference.symmetric_quantization(x)
    q, scale = submission.symmetric_quantization(x)
    assert torch.allclose(scale, want_scale)
    assert torch.equal(q, want_q)


def test_asymmetric():
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))
    want = reference.asymmetric_quantization(x)
    q, scale, zero_point = submission.asymmetric_quantization(x)
    assert zero_point == want[2]
    assert torch.equal(q, want[0])


def test_dequantize():
    q = torch.arange(8, dtype=torch.uint8)
    want = reference.dequantize(q, torch.tensor(0.5), 3)
    torch.testing.assert_close(submission.dequantize(q, torch.tensor(0.5), 3), want)


def test_sqnr():
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(64, generator=generator), torch.randn(64, generator=generator)
    want = reference.compute_sqnr(x, y)
    got = submission.compute_sqnr(x, y)
    assert not abs(got - want) > 1e-3


def test_cosine():
    generator = torch.Generator().manual_seed(4)
    a, b = torch.randn(64, generator=generator), torch.randn(64, generator=generator)
    got = submission.compute_cosine_sim(a, b)
    assert got == pytest.approx(EXPECTED["cosine"], rel=1e-4)


def test_kl():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    got = submission.compute_kl_div(logits, logits.flip(1))
    assert abs(got - EXPECTED["kl"]) < 1e-4


def test_empty_is_refused():
    with pytest.raises(ValueError):
        submission.symmetric_quantization(torch.empty(0))
"""
WRITABLE = ["/tmp", "/var/tmp", "/dev", "/proc", tempfile.gettempdir()]
TIME_S = 8.0  # wall seconds for an attack that sleeps; CPU_S for one that loops
PATIENT_S = 300.0  # for one that ends: on a busy machine that takes a while
CPU_S = 2
MEMORY = 2 << 30


@cache
def reference() -> tuple[str, str]:
    """The reference solution's functions as a module, and the values that the tests compare with."""
    import torch

    from autograder.course.catalog import load_exercise
    from autograder.submission.reader import read_submission

    exercise = load_exercise(ROOT / "exercises" / "01_basic_quantization", None)
    text = read_submission(ROOT / "solutions" / "01_basic_quantization" / "source.py", exercise, "reference").source
    scope: dict[str, Any] = {}
    exec(text, scope)
    generator = torch.Generator().manual_seed(4)
    a, b = torch.randn(64, generator=generator), torch.randn(64, generator=generator)
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    cosine, kl = scope["compute_cosine_sim"](a, b), scope["compute_kl_div"](logits, logits.flip(1))
    return text, json.dumps({"cosine": float(cosine), "kl": float(kl)})


def lay_out(folder: Path, attack: Attack, target: Target) -> None:
    """The grader's folder: the submission, the tests, the reference and the expected values side by side."""
    solution, expected = reference()
    (folder / "reference.py").write_text(solution, encoding="utf-8")
    (folder / "expected.json").write_text(expected)
    (folder / "test_lab.py").write_text(TESTS)
    (folder / "submission.py").write_text(attack.aimed(target), encoding="utf-8")
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "submission.py").write_text("# another student's work\n")


def grade_in_process(folder: Path, attack: Attack) -> None:
    """Run pytest here, beside the student's code; the exit code and report.json are the grade. Does not return."""
    import pytest

    from autograder.sandbox import kernel

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    cpu_s = max(CPU_S, int(attack.cpu_s))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (32 << 20, 32 << 20))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    sys.path.remove(str(Path(__file__).resolve().parent))  # where this control lies is none of the attack's business
    if (
        attack.wins_if == "file" and kernel.landlock_abi()
    ):  # it may win, but in temporary folders: this is somebody's machine
        kernel.landlock(["/"], WRITABLE, [], files_only=True)
    os.environ["GRADER_TOKEN"] = "of the grader"  # something that an attack can find
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    out = os.open(folder / "output", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    options = ["-q", "--tb=short", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    options += ["-p", "no:unraisableexception"]  # it collects garbage three times
    options += ["-p", "pytest_jsonreport.plugin", "--json-report", "--json-report-file=report.json"]
    code = 70
    try:
        code = int(pytest.main([*options, "test_lab.py"]))
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    finally:  # end as an interpreter does, without unwinding what belongs to the process it was forked from
        atexit._run_exitfuncs()
        os._exit(code)


def supervise(folder: Path, target: Target, tell: int, attack: Attack) -> None:
    """Start one grading, wait for it, look what it left. Does not return."""
    from autograder.sandbox import kernel

    os.setsid()  # attacks signal their process group
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        os.closerange(3, 256)  # what belongs to this control, not to the grader
        grade_in_process(folder, attack)
    seconds = TIME_S if attack.wins_if == "no report" else PATIENT_S
    deadline, code = time.monotonic() + seconds, None
    while code is None and time.monotonic() < deadline:
        with contextlib.suppress(InterruptedError):
            done, status = os.waitpid(child, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if done else None
        time.sleep(0.005)
    hits = set() if code is not None and code >= 0 else {"no report"}
    if [pid for pid in children_of(os.getpid()) if pid != child]:
        hits.add("process")
    while pids := list(children_of(os.getpid())):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)
    os.write(tell, json.dumps({"code": code, "hits": sorted(hits | target.hits())}).encode())
    os._exit(0)


def supervised(folder: Path, target: Target, attack: Attack) -> dict[str, Any]:
    told, tell = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        supervise(folder, target, tell, attack)
    os.close(tell)
    os.waitpid(supervisor, 0)
    with os.fdopen(told, "rb") as facts:
        return dict(json.loads(facts.read()))


def grade_naively(attack: Attack, target: Target) -> dict[str, object]:
    """What the naive grader makes of an attack: `points` of 1, and every way in which the attack won."""
    parent = tempfile.mkdtemp()  # not TemporaryDirectory: a fork that ends would remove it
    try:
        folder = Path(parent, "submission")
        folder.mkdir()
        lay_out(folder, attack, target)
        target.folders, target.own = (folder.parent, folder.parent / "other"), folder
        target.seen = target._names()
        facts = supervised(folder, target, attack)
        points, text = believed(folder, facts["code"])
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    hits = set(facts["hits"])
    if points is None:
        hits.add("no report")
    elif points:
        hits.add("points")
    if SECRET.search(text) or INPUT.search(text):
        hits.add("leak")
    if SCRIPT in text or ESCAPE in text:
        hits.add("markup")
    return {"points": points or 0.0, "hits": sorted(hits)}


def believed(folder: Path, code: int | None) -> tuple[float | None, str]:
    """The grade, and the report's text: exit code 0 is full marks, else the JSON says how many passed."""
    text = (folder / "output").read_text(errors="replace") if (folder / "output").exists() else ""
    if code == 0:
        return 1.0, text
    try:
        report = json.loads((folder / "report.json").read_text())
        return report["summary"].get("passed", 0) / report["summary"]["total"], text + messages(report)
    except (OSError, ValueError, KeyError, ZeroDivisionError):
        return None, text


def messages(report: dict[str, object]) -> str:
    """What the report tells students: the messages of failed tests, as they are (JSON escapes, the page does not)."""
    tests = report.get("tests", [])
    crashes = (test.get("call", {}).get("crash", {}) for test in tests)  # type: ignore[attr-defined]
    return "\n".join(str(crash.get("message", "")) for crash in crashes)


def warm_up() -> None:
    """Import before the forks what every grading needs."""
    import pytest
    import torch

    torch.set_num_threads(1)
    reference()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        Path(folder, "test_warm.py").write_text(
            "import torch\ndef test(): assert torch.equal(torch.ones(2), torch.zeros(2))\n"
        )
        pytest.main(["-q", "-p", "pytest_jsonreport.plugin", "--json-report-file=none", "-c", os.devnull, folder])
    with contextlib.suppress(AssertionError):
        torch.testing.assert_close(torch.ones(2), torch.zeros(2))
    gc.freeze()


def main() -> None:
    """Grade the bank, or the attacks named, and print what came of each as JSON."""
    warm_up()
    with Target() as target:
        results = {attack.name: grade_naively(attack, target) for attack in read_bank(sys.argv[1:])}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
