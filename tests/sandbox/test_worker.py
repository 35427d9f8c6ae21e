"""The worker: whatever a submission does to its process costs the calls it hits, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support import ordinary_user

from autograder.records import Limits
from autograder.runtime.dispatcher import METHOD
from autograder.runtime.errors import CrashedError, JailedError, RefusedError, StudentError, TimedOutError
from autograder.sandbox import launcher, process, replies
from autograder.sandbox import worker as worker_module
from autograder.sandbox.worker import SandboxPolicy, Worker, ZygoteError, zygote
from autograder.testing.proxy import Handle, Student
from autograder.testing.verdicts import verdict

SMALL = Limits(call_cpu_s=0.3, submission_cpu_s=60, memory_mb=300, scratch_mb=4, reply_mb=1)
ON_DISK = SandboxPolicy(layers=("landlock", "seccomp", "user", "limits"))  # as where namespaces are refused

PIPES = """
import fcntl, os, stat, msgpack, struct
def pipes():
    found = [fd for fd in range(3, 256) if is_pipe(fd)]
    return sorted(found, key=lambda fd: fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE)  # the one to read comes first
def is_pipe(fd):
    try: return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError: return False
def send(tree, body=b""):
    header = msgpack.packb(tree)
    os.write(pipes()[1], struct.pack("!IQ", len(header), len(body)) + header + body)
NO_FACTS = ["d", [["mutated", ["t", []]], ["syncs", 0], ["device_ops", 0], ["moved_elements", 0], ["refused", ["t", []]]]]
def reply(number, value=None, facts=NO_FACTS, failure=None):
    return ["d", [["id", number], ["value", value], ["failure", failure], ["facts", facts]]]
"""


@contextlib.contextmanager
def jailed(
    source: str, limits: Limits = SMALL, policy: SandboxPolicy | None = None
) -> Iterator[tuple[Student, Worker]]:
    with Worker(textwrap.dedent(source), limits, policy) as worker:
        yield Student(worker), worker


def process_of(worker: Worker) -> process.Process:
    assert worker._process is not None
    return worker._process


def eventually(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


# ---------------------------------------------------------------------------------- an honest one


def test_values_go_there_and_back() -> None:
    with jailed("def echo(*args, **kwargs): return args, kwargs") as (student, _):
        (number, x), keywords = student.echo(1, torch.arange(3), bits=8)
        assert number == 1
        assert x.tolist() == [0, 1, 2]
        assert keywords == {"bits": 8}


def test_objects_stay_and_are_asked() -> None:
    source = """
        class Quantizer:
            def __init__(self, bits=8): self.bits = bits
            def calibrate(self, x): self.scale = x.abs().max() / 127
            def __call__(self, x): return x / self.scale
    """
    with jailed(source) as (student, _):
        quantizer = student.Quantizer(bits=4)
        quantizer.calibrate(torch.tensor([-127.0, 3.0]))
        assert quantizer.bits == 4
        assert float(quantizer.scale) == 1.0
        assert quantizer(torch.tensor([2.0])).tolist() == [2.0]


def test_an_event_loop_runs() -> None:
    source = (
        "import asyncio\nasync def work():\n  await asyncio.sleep(0)\n  return 3\ndef f(): return asyncio.run(work())"
    )
    with jailed(source) as (student, _):
        assert student.f() == 3


def test_threads_files_and_copies_work_in_the_scratch_folder() -> None:
    """What an ordinary answer may do: start a thread, write a file, copy it, truncate it, read it back."""
    source = """
        import os, shutil, tempfile, threading, pathlib, torch
        def work():
            found = []
            thread = threading.Thread(target=lambda: found.append(torch.ones(3).sum().item())); thread.start(); thread.join()
            first = pathlib.Path("first"); first.write_text("some text")
            shutil.copy(first, "second"); shutil.copy2(first, "third"); first.touch()
            with open("second", "r+") as file: file.truncate(4)
            pathlib.Path("third").write_text("new")
            with tempfile.TemporaryDirectory() as folder: torch.save(torch.ones(2), folder + "/x.pt")
            return found, sorted(os.listdir(".")), pathlib.Path("second").read_text(), pathlib.Path("third").read_text()
    """
    for policy in (SandboxPolicy(), ON_DISK):
        with jailed(source, Limits(), policy) as (student, _):
            assert student.work() == ([3.0], ["first", "second", "third"], "some", "new")


# ---------------------------------------------------------------------------------- time


def test_an_endless_call_is_stopped_and_the_rest_goes_on() -> None:
    with jailed("def f():\n  while True: pass\ndef g(): return 2") as (student, _):
        with pytest.raises(TimedOutError, match="more CPU time than a right answer ever needs"):
            student.f()
        assert student.g() == 2


def test_a_function_that_timed_out_is_not_called_again() -> None:
    """After one timeout a function's further calls fail at once, with its name; other functions are called."""
    with jailed("def f():\n  while True: pass\ndef g(): return 2") as (student, worker):
        with pytest.raises(TimedOutError, match="endless loop"):
            student.f()
        used = worker.used_s
        with pytest.raises(TimedOutError, match=r"f did not return within 0\.3 s in an earlier call"):
            student.f()
        assert student.g() == 2
        assert worker.used_s == used


def test_a_method_that_timed_out_is_not_called_again_on_another_object_of_its_class() -> None:
    """A loop in one class's method costs that class's objects alone, in every test."""
    source = "class A:\n  def f(self):\n    while True: pass\nclass B:\n  def f(self): return 2"
    with jailed(source) as (student, worker):
        with pytest.raises(TimedOutError, match="endless loop"):
            student.A().f()
        used = worker.used_s
        worker.turn(2)
        with pytest.raises(TimedOutError, match="in an earlier call"):
            student.A().f()
        assert student.B().f() == 2
        assert worker.used_s == used


def test_functions_that_hang_leave_a_quarter_of_the_time_to_each_other() -> None:
    """The first two that run out of time halve what the next one gets."""
    source = "".join(f"def f{i}():\n  while True: pass\n" for i in range(5))
    with jailed(source) as (student, worker):
        for i in range(5):
            with pytest.raises(TimedOutError):
                getattr(student, f"f{i}")()
        assert list(worker._stops.values()) == [SMALL.call_cpu_s / 2 ** min(i, 2) for i in range(5)]


def test_an_object_that_a_timeout_took_is_lost_to_time_and_no_crash() -> None:
    """A crash would have the whole submission graded again."""
    with jailed("class A:\n  def f(self):\n    while True: pass\n  def g(self): return 1") as (student, _):
        a = student.A()
        with pytest.raises(TimedOutError, match="endless loop"):
            a.f()
        with pytest.raises(TimedOutError, match="was lost"):
            a.g()


def test_an_endless_loop_in_the_notebook_itself_is_tried_once() -> None:
    with jailed("def f(): return 1\nwhile True: pass") as (student, worker):
        for _ in range(3):
            with pytest.raises(TimedOutError, match="running the notebook's own statements"):
                student.f()
        assert worker.used_s < 3 * SMALL.call_cpu_s


def test_a_sleeper_is_stopped_by_the_wall_clock() -> None:
    with jailed("import time\ndef f(): time.sleep(3600)\ndef g(): return 2", SMALL) as (student, _):
        with pytest.raises(TimedOutError, match="did not answer in time"):
            student.f()
        assert student.g() == 2


def test_many_sleepers_together_are_stopped_by_the_submissions_wall_clock() -> None:
    source = "import time\n" + "\n".join(f"def f{i}(): time.sleep(3600)" for i in range(6))
    limits = Limits(call_cpu_s=0.05, submission_cpu_s=0.12)
    with jailed(source, limits) as (student, _):
        texts = []
        for i in range(6):
            with pytest.raises(TimedOutError) as caught:
                getattr(student, f"f{i}")()
            texts.append(str(caught.value))
    assert "slept too long" in texts[-1]


def test_a_submission_has_one_budget_for_all_its_calls() -> None:
    source = (
        "import time\ndef f(n):\n  t = time.process_time()\n  while time.process_time() < t + 0.2: pass\n  return n"
    )
    with jailed(source, Limits(call_cpu_s=0.4, submission_cpu_s=0.7)) as (student, _):
        with pytest.raises(TimedOutError) as caught:
            for n in range(9):
                assert student.f(n) == n
        assert 2 <= n <= 3
        with pytest.raises(TimedOutError, match=r"0\.7 CPU seconds"):
            student.f(0)
        assert "CPU" in str(caught.value)


def test_a_submission_without_time_gets_no_worker_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred tests that are left need not start a hundred of them to find out."""
    launched, launch = [], worker_module._launch
    monkeypatch.setattr(worker_module, "_launch", lambda *args: (launched.append(args), launch(*args))[1])
    with jailed("def f():\n  while True: pass\ndef g(): return 1", Limits(call_cpu_s=5, submission_cpu_s=0.3)) as (
        student,
        worker,
    ):
        for name in ("f", "g", "g", "g"):
            with pytest.raises(TimedOutError, match=r"CPU") as caught:
                getattr(student, name)()
        assert str(caught.value) == "the submission has used its 0.3 CPU seconds, or slept too long"
        assert len(launched) == 1
        assert worker.used_s >= 0.3


def test_a_background_thread_spends_the_budget_too() -> None:
    source = """
        import threading
        def spin():
            while True: pass
        def start(): threading.Thread(target=spin, daemon=True).start()
        def f(): return 1
    """
    with jailed(source, Limits(call_cpu_s=5, submission_cpu_s=0.5)) as (student, worker):
        student.start()
        assert eventually(lambda: process_of(worker).cpu_s() > 0.6)
        with pytest.raises(TimedOutError, match=r"0\.5 CPU seconds"):
            student.f()


def test_cpu_seconds_of_a_worker_that_killed_itself_are_counted() -> None:
    source = """
        import os, time
        def f():
            while time.process_time() < start + 0.4: pass
            os._exit(0)
        start = time.process_time()
    """
    with jailed(source, Limits(call_cpu_s=5, submission_cpu_s=0.9)) as (student, worker):
        for _ in range(9):
            with pytest.raises((CrashedError, TimedOutError)) as caught:
                student.f()
            if caught.type is TimedOutError:
                break
        assert caught.type is TimedOutError
        assert worker.used_s >= 0.5


def test_the_kernel_ends_a_worker_that_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0)
    source = "import threading\ndef f():\n  while True: pass\nthreading.Thread(target=f, daemon=True).start()"
    with jailed(source, Limits(submission_cpu_s=0.2)) as (_, worker):
        worker.start()
        assert eventually(lambda: process._is_ready(process_of(worker).from_worker, 1, 0), 60)
        assert os.read(process_of(worker).from_worker, 1) == b""  # the end of the pipe: the process is dead


def test_a_reply_sent_byte_by_byte_does_not_outlive_the_time_limit() -> None:
    source = (
        PIPES
        + """
def f():
    out = pipes()[1]
    os.write(out, struct.pack("!IQ", 1 << 20, 0))
    while True: os.write(out, b"x")
"""
    )
    with jailed(source, Limits(call_cpu_s=0.3)) as (student, _):
        with pytest.raises(TimedOutError):
            student.f()


# ---------------------------------------------------------------------------------- death

DEATHS = {
    "os._exit": "import os\ndef f(): os._exit(0)",
    "a segmentation fault": "import ctypes\ndef f(): ctypes.string_at(0)",
    "abort": "import os\ndef f(): os.abort()",
    "a stack overflow in C": "import functools, sys\ndef f(*_):\n  sys.setrecursionlimit(10**9)\n  functools.reduce(f, [1, 2])",
    "closed pipes": "import os\ndef f(): os.closerange(3, 256)",
    "exit in a thread": "import os, threading\ndef f():\n  t = threading.Thread(target=os._exit, args=(0,)); t.start(); t.join()",
    "a system call of another architecture": """
        import ctypes, mmap
        def f():  # mov eax, 20; int 0x80; ret: getpid as a 32-bit program would ask for it
            code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            code.write(bytes.fromhex("b814000000cd80c3"))
            return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    """,
}


@pytest.mark.parametrize("how", DEATHS)
def test_a_death_costs_its_own_call_only(how: str) -> None:
    with jailed(textwrap.dedent(DEATHS[how]) + "\ndef g(): return 2") as (student, _):
        with pytest.raises((CrashedError, RecursionError)):
            student.f()
        assert student.g() == 2


def test_a_notebook_that_ends_its_process_is_said_so_once_and_for_all() -> None:
    with jailed("def f(): return 1\nimport os; os._exit(0)") as (student, _):
        for _ in range(2):
            with pytest.raises(
                CrashedError, match="running the notebook's own statements: the code ended the worker process"
            ):
                student.f()


@pytest.mark.parametrize("leave", ["raise SystemExit(0)", "exit(0)", "raise KeyboardInterrupt", "raise GeneratorExit"])
def test_leaving_is_an_answer_not_an_end(leave: str) -> None:
    with jailed(f"def f():\n  {leave}\ndef g(): return 2") as (student, _):
        with pytest.raises((StudentError, NameError)):
            student.f()
        assert student.g() == 2


def test_a_worker_killed_by_a_thread_between_calls_costs_the_next_call() -> None:
    source = """
        import os, threading
        def arm(): threading.Timer(0.05, os._exit, (0,)).start()
        def g(): return 2
    """
    with jailed(source) as (student, worker):
        student.arm()
        pid = process_of(worker).pid
        assert eventually(lambda: is_gone(pid))
        with pytest.raises(CrashedError, match="between two calls"):
            student.g()
        assert student.g() == 2


# ---------------------------------------------------------------------------------- memory, replies, disk


@pytest.mark.parametrize("hog", ["bytearray(10**10)", "[0] * 10**10", "torch.empty(10**10)", "b'x' * 10**9"])
def test_memory_ends_at_the_limit_and_the_worker_lives(hog: str) -> None:
    with jailed(f"import torch\ndef f(): return len({hog})\ndef g(): return 2") as (student, worker):
        with pytest.raises((MemoryError, RuntimeError)):
            student.f()
        pid = process_of(worker).pid
        assert student.g() == 2
        assert process_of(worker).pid == pid


def test_a_worker_has_its_limit_beyond_what_the_libraries_take() -> None:
    with jailed("import torch\ndef f(n): return torch.ones(n, dtype=torch.uint8).numel()") as (student, _):
        assert student.f(200 << 20) == 200 << 20
        with pytest.raises(RuntimeError, match="alloc"):
            student.f(310 << 20)


@pytest.mark.parametrize(
    "value",
    [
        "torch.zeros(1).expand(10**10)",
        "torch.zeros(2 << 20, dtype=torch.int8)",
        "'x' * (3 << 20)",
        "[[b'x' * 900] * 2000] * 2",
    ],
)
def test_a_reply_that_is_too_large_costs_its_own_call(value: str) -> None:
    with jailed(f"import torch\ndef f(): return {value}\ndef g(): return 2") as (student, _):
        with pytest.raises((CrashedError, TypeError)) as caught:
            student.f()
        assert (
            "returned more than 1 MB" in str(caught.value)
            or "can't be read" in str(caught.value)
            or "protocol" in str(caught.value)
        )
        assert student.g() == 2


@pytest.mark.parametrize(
    "value",
    ["'\\ud800'", "{'\\udfff': 1}", "{torch.ones(1): 1}", "16 ** 5000", "torch.empty(2, device='meta')"],
    ids=["a surrogate", "a surrogate as a key", "a tensor as a key", "a huge int", "a meta tensor"],
)
def test_a_value_without_a_form_is_a_type_error_not_a_death(value: str) -> None:
    with jailed(f"import torch\ndef f(): return {value}\ndef g(): return 2") as (student, worker):
        with pytest.raises(TypeError, match="can't be read"):
            student.f()
        pid = process_of(worker).pid
        assert student.g() == 2
        assert process_of(worker).pid == pid


def test_texts_that_are_no_text_are_made_legible() -> None:
    source = "def f(): raise ValueError('\\ud800 x')\nraise ValueError('\\ud800 y')\n"
    with jailed(source) as (student, worker):
        with pytest.raises(ValueError, match=r"\? x"):
            student.f()
        assert [problem.split(": ", 1)[1] for problem in worker.problems] == ["ValueError: ? y"]


FILLERS = {
    "large files": "for i in range(10_000): open(str(i), 'wb').write(bytes(1 << 20))",
    "many files": "for i in range(100_000): open(str(i), 'wb').close()",
    "many folders": "import os\n  for i in range(100_000): os.mkdir(str(i))",
}


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("policy", [SandboxPolicy(), ON_DISK], ids=["namespaces", "on disk"])
def test_the_scratch_folder_can_not_fill_the_disk(filler: str, policy: SandboxPolicy) -> None:
    source = f"import time\ndef f():\n  {FILLERS[filler]}\n  time.sleep(60)\ndef g(): return 2"
    with jailed(source, Limits(scratch_mb=4), policy) as (student, worker):
        with pytest.raises((OSError, CrashedError), match="No space|more than 4 MB|too many"):
            student.f()
        assert student.g() == 2
        assert not any(Path(zygote().folder).rglob("*[0-9]/*"))
        worker._kill()
        assert not any(Path(zygote().folder).iterdir())


def test_a_single_file_has_a_limit_too() -> None:
    for policy in (SandboxPolicy(), ON_DISK):
        with jailed("def f(): open('x', 'wb').write(bytes(64 << 20))", SMALL, policy) as (student, _):
            with pytest.raises(OSError, match="too large|No space"):
                student.f()


def test_what_is_hard_to_remove_is_removed() -> None:
    """A thousand levels, folders without permissions: nothing is left when the worker ends."""
    source = """
        import os
        def f():
            os.makedirs("shut/inner"); open("shut/inner/file", "w").close()
            os.mkdir("closed", 0)
            for _ in range(1500):
                os.mkdir("d"); os.chdir("d")
            return True
    """
    with jailed(source, Limits(), ON_DISK) as (student, worker):
        assert student.f()
        worker._kill()
        assert list(Path(zygote().folder).iterdir()) == []


REMOVING = """
import os, tempfile
from autograder.sandbox import scratch
folder = tempfile.mkdtemp()
os.makedirs(folder + "/shut/inner")
open(folder + "/shut/inner/file", "w").close()
os.chmod(folder + "/shut/inner", 0)
os.mkdir(folder + "/closed", 0)
os.chmod(folder + "/shut", 0o500)
scratch.remove(folder)
print(os.path.exists(folder))
"""


def test_an_ordinary_user_can_remove_what_is_hard_to_remove() -> None:
    """Root may enter and move any folder; whoever is not root must first allow it to itself."""
    done = ordinary_user.run(["-c", REMOVING])
    assert (done.stdout, done.stderr) == ("False\n", "")


# ---------------------------------------------------------------------------------- the protocol, broken


@pytest.mark.parametrize(
    "tree",
    [
        "['d', [['id', 1], ['problems', ['l', []]]]]",
        "reply(1, facts=0)",
        "reply(1, facts=['d', []])",
        "reply(1, failure='no')",
        "reply(1, failure=['d', []])",
        "reply(1)[:1]",
        "None",
        "['l', []]",
        "['x']",
        "reply(3)",
        "reply(True)",
        "reply(1.0)",
        "reply('1')",
        "reply(None)",
        "['d', reply(1)[1] + [['extra', 1]]]",
        "reply(1, facts=['d', NO_FACTS[1][:4] + [['refused', ['l', []]]]])",
        "reply(1, facts=['d', NO_FACTS[1][:4] + [['refused', ['t', [1]]]]])",
        "reply(1, facts=['d', [['mutated', ['t', ['argument 9']]]] + NO_FACTS[1][1:]])",
        "reply(1, facts=['d', [['mutated', ['t', ['the input was 0.123']]]] + NO_FACTS[1][1:]])",
        "reply(1, facts=['d', NO_FACTS[1][:1] + [['syncs', -1]] + NO_FACTS[1][2:]])",
        "reply(1, facts=['d', NO_FACTS[1][:1] + [['syncs', True]] + NO_FACTS[1][2:]])",
        "reply(1, facts=['d', NO_FACTS[1][:1] + [['syncs', 1.5]] + NO_FACTS[1][2:]])",
    ],
)
def test_a_reply_of_another_form_ends_the_worker(tree: str) -> None:
    source = PIPES + f"\ndef f(x):\n    send({tree})\n    return 1\ndef g(): return 2\n"
    with jailed(source) as (student, worker):
        with pytest.raises(CrashedError):
            student.f(1)
        assert worker._process is None
        assert student.g() == 2


def test_a_tensor_for_a_number_is_a_breach_not_an_error_of_ours() -> None:
    """`tensor != 2` is a tensor, and its truth an error: it must not become a withheld score."""
    source = PIPES + "\ndef f(): send(reply(['T', 'int8', [2], 'cpu']), b'ab')\n"
    with jailed(source) as (student, _):
        with pytest.raises(CrashedError, match="not asked"):
            student.f()


@pytest.mark.parametrize("early", ["send(reply(2, 2))", "os.write(pipes()[1], b'x')", "send(reply(1, 1))"])
def test_what_nobody_asked_for_ends_the_worker_at_the_next_call(early: str) -> None:
    """A second reply, or one ahead of the question, is found before the next question is asked."""
    source = (
        PIPES
        + f"\nimport threading, time\ndef f():\n    threading.Timer(1.0, lambda: {early}).start()\n    return 1\ndef g(): return 0\n"
    )
    with jailed(source) as (student, worker):
        assert student.f() == 1
        assert eventually(lambda: process._is_ready(process_of(worker).from_worker, 1, 0))
        with pytest.raises(CrashedError, match="what nobody asked for"):
            student.g()
        assert student.g() == 0


def test_a_forged_answer_is_an_answer_and_the_true_one_then_a_breach() -> None:
    with jailed(PIPES + "\ndef f():\n    send(reply(1, 41))\n    return 42\ndef g(): return 0\n") as (student, worker):
        assert student.f() == 41  # judged like any other value: forging gains nothing over returning
        assert eventually(lambda: process._is_ready(process_of(worker).from_worker, 1, 0))
        with pytest.raises(CrashedError, match="what nobody asked for"):
            student.g()


@pytest.mark.parametrize(
    "bytes_",
    ["b'x' * 100", "struct.pack('!IQ', 2**32 - 1, 0)", "struct.pack('!IQ', 0, 2**64 - 1)", "struct.pack('!IQ', 0, 0)"],
)
def test_bytes_that_are_no_frame_end_the_worker_without_being_stored(bytes_: str) -> None:
    with jailed(PIPES + f"\ndef f(): os.write(pipes()[1], {bytes_}); import time; time.sleep(60)\n") as (
        student,
        worker,
    ):
        with pytest.raises(CrashedError, match="returned more than|protocol"):
            student.f()
        assert worker._process is None


def test_a_handle_of_a_worker_that_ended_is_refused() -> None:
    source = "import os\nclass A:\n  def f(self): return 1\nclass B:\n  def f(self): return 2\ndef die(): os._exit(0)\ndef take(a): return a.f()"
    with jailed(source) as (student, _):
        a = student.A()
        assert a.f() == 1
        with pytest.raises(CrashedError):
            student.die()
        b = student.B()  # had numbers begun anew, `a` would now mean this one
        assert b.f() == 2
        for ask in (lambda: a.f(), lambda: student.take(a), lambda: student.take([{"k": a}])):
            with pytest.raises(CrashedError, match="lost when the worker process ended"):
                ask()
        assert student.take(b) == 2


def test_files_without_a_name_count_where_no_namespace_caps_the_disk() -> None:
    """A file that is open and has no name any more takes room, and the worker that holds too many is ended."""
    source = """
        import os
        held = []
        def fill():
            for i in range(3):
                held.append(open(f"x{i}", "wb+", buffering=0)); os.unlink(f"x{i}"); held[-1].write(b"x" * (2 << 20))
        def g(): return 2
    """
    with jailed(source, policy=ON_DISK) as (student, _):
        with contextlib.suppress(CrashedError):
            student.fill()
            student.g()
            pytest.fail("6 MB of 4 were held")
        assert student.g() == 2


def test_blocks_beyond_a_files_length_are_refused() -> None:
    """fallocate is not there, and posix_fallocate writes zeros in its place."""
    source = """
        import ctypes, errno, os
        def f():
            libc, file = ctypes.CDLL(None, use_errno=True), os.open("k", os.O_CREAT | os.O_RDWR)
            done = libc.fallocate(file, 1, ctypes.c_long(0), ctypes.c_long(600 << 20))
            why = ctypes.get_errno()
            os.posix_fallocate(file, 0, 5000)
            return done, why == errno.EOPNOTSUPP, os.fstat(file).st_size
    """
    for policy in (SandboxPolicy(), ON_DISK):
        with jailed(source, policy=policy) as (student, _):
            assert student.f() == (-1, True, 5000)


@pytest.mark.parametrize("words", [["x"] * 21, ["x" * 501]])
def test_problems_are_capped_where_they_arrive(words: list[str]) -> None:
    """More or longer problems than a worker of ours tells are no answer to `load`."""
    assert replies.is_load({"id": 1, "problems": ["x" * 500] * 20})
    assert not replies.is_load({"id": 1, "problems": words})


def test_a_handle_with_an_invented_number_leads_nowhere() -> None:
    with jailed(PIPES + "\ndef f(): send(reply(1, ['h', 999, 'x']))\n") as (student, _):
        handle = student.f()
        assert type(handle) is Handle
        with pytest.raises(CrashedError):
            handle.attribute


def test_the_string_that_stands_for_a_method_gains_nothing() -> None:
    with jailed(f"class A:\n  scale = {METHOD!r}\n  def f(self): return 1\ndef g(): return {METHOD!r}") as (student, _):
        assert student.g() == METHOD
        assert callable(student.A().scale)
        with pytest.raises(TypeError):
            student.A().scale()


# ---------------------------------------------------------------------------------- words of its own


def test_of_types_a_few_words_are_said() -> None:
    """A class can be called anything, also by one of torch's two thousand: what is said of it tells nearly nothing."""
    source = """
        import numpy, torch
        def own(name): return type(name, (), {})()
        def known(): return [numpy.ones(2), {1}, lambda: 0, torch.eye(2).to_sparse(), torch.nn.Linear(1, 1)]
        def named(module, kind): return type(kind, (), {"__module__": module, "__qualname__": kind})()
        def liar(): return named("numpy", "ndarray")
    """
    with jailed(source) as (student, _):
        for name in ("A", "secret_0p123", "numpy.secret", "torch.Tensor (secret, strided)", "os.secret", "numpy.ones"):
            assert student.own(name).type_name in (replies.OTHER_CLASS, replies.OTHER_TENSOR)
        for name in ("torch.autograd.graph._MultiHandle", "torch.nn.modules.module._WrappedHook"):
            module, _, kind = name.rpartition(".")
            assert student.named(module, kind).type_name == replies.OTHER_CLASS
        names = [handle.type_name for handle in student.known()]
        assert names == ["numpy.ndarray", "set", "function", replies.OTHER_TENSOR, replies.MODULE]
        assert student.liar().type_name == "numpy.ndarray"  # a lie that says nothing


def test_names_of_refused_functions_are_such_as_exist_here() -> None:
    names = [
        "torch.quantize_per_tensor",
        "secret",
        "torch.secret",
        "torch.ops.secret",
        "torch.float32",
        "os.getpid",
        "torch..x",
        "",
    ]
    source = PIPES + f"\ndef f(): send(reply(1, facts=['d', NO_FACTS[1][:4] + [['refused', ['t', {names}]]]]))\n"
    with jailed(source) as (_, worker):
        request = {"op": "call", "target": 0, "name": "f", "args": (), "kwargs": {}, "simulated": False}
        assert worker.run(request)["facts"]["refused"] == (names[0], *[replies.READY_MADE] * 7)


def test_a_hidden_test_does_not_say_which_function_was_refused() -> None:
    """The student's process says it, and can choose one of two thousand by the input's value."""
    source = "from autograder.runtime import blocked_apis\ndef f(): blocked_apis._STATE.calls['torch.ops.aten.linalg_inv'] = None"
    with jailed(source) as (student, _):
        with pytest.raises(RefusedError) as caught:
            student.f()
        told = {
            hidden: verdict(caught.value, student, hidden=hidden, in_test=True)["message"] for hidden in (False, True)
        }
    assert told == {False: "torch.ops.aten.linalg_inv\ncalled: f()", True: replies.READY_MADE}


ASKED_FOR_NAMES = """
import sys
import torch
from autograder.sandbox import replies
from autograder.runtime.wire import HandleRef

names = ("torch._inductor.config", "torch.onnx.export", "torch.ops.secret", "torch.ops.secret.secret")
types = [HandleRef(1, name) for name in (*names, "torch._inductor", "torch.onnx", "torch.ops.secret", "torch.Tensor (_inductor, onnx)")]
before = {*sys.modules, *vars(torch.ops)}
told = replies.in_our_words({"value": types, "facts": {"refused": names}, "failure": None})
assert {*sys.modules, *vars(torch.ops)} == before, {*sys.modules, *vars(torch.ops)} - before
assert {ref.type_name for ref in told["value"]} == {replies.OTHER_CLASS, replies.OTHER_TENSOR}
assert set(told["facts"]["refused"]) == {replies.READY_MADE}
"""


def test_to_know_a_name_nothing_is_imported_and_nothing_made() -> None:
    """Asked for these, torch imports its compiler, and makes a namespace of any name. In a process in which nobody else did."""
    done = subprocess.run([sys.executable, "-P", "-c", ASKED_FOR_NAMES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_notebook_that_never_loads_is_told_to_every_test_anew() -> None:
    """One exception that a hundred tests raise would keep the frames of all of them, and each report list them all."""
    with Worker("while True: pass", SMALL) as worker:
        errors = []
        for _ in range(3):
            with pytest.raises(TimedOutError, match="own statements") as caught:
                worker.run({"op": "call", "target": 0, "name": "f", "args": (), "kwargs": {}, "simulated": False})
            errors.append((caught.value, len(caught.traceback)))
        assert len({id(error) for error, _ in errors}) == 3
        assert errors[1][1] == errors[2][1]


def test_an_exception_that_claims_a_refusal_brings_no_words() -> None:
    source = (
        "from autograder.runtime.blocked_apis import BlockedCallError\ndef f(): raise BlockedCallError('secret 0.123')"
    )
    with jailed(source) as (student, _):
        with pytest.raises(RefusedError) as caught:
            student.f()
        assert str(caught.value) == replies.READY_MADE


# ---------------------------------------------------------------------------------- what is left


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_fifty_workers_leave_nothing() -> None:
    """No process, no zombie, no descriptor, no folder; half of them die by their own hand."""
    with jailed("def f(): return 1") as (student, _):
        student.f()
    before = descriptors()
    pids = []
    for i in range(50):
        with jailed("import os\ndef f(): os._exit(0)\ndef g(): return 1") as (student, worker):
            assert student.g() == 1
            pids.append(process_of(worker).pid)
            if i % 2:
                with pytest.raises(CrashedError):
                    student.f()
    assert descriptors() == before
    assert eventually(lambda: all(map(is_gone, pids)))
    assert eventually(lambda: children_of(zygote().process.pid) == [])
    assert list(Path(zygote().folder).iterdir()) == []


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_can_not_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    zygote()
    before = descriptors()

    def refuse(pid: int) -> int:
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(ZygoteError, match="a worker could not be started"), jailed("x = 1") as (student, _):
        student.f()
    assert descriptors() == before
    assert list(Path(zygote().folder).iterdir()) == []


def test_a_killed_zygote_is_our_fault_and_is_replaced() -> None:
    """Not a point is lost by it: the call ends in an error of the grader's own, the next worker has a new zygote."""
    old = zygote()
    with jailed("import time\ndef f(): time.sleep(60)\ndef g(): return 2", Limits()) as (student, worker):
        assert student.g() == 2
        pid = process_of(worker).pid
        threading.Timer(0.2, old.process.kill).start()
        with pytest.raises(ZygoteError, match="interpreter ended, and the worker with it"):
            student.f()
        assert eventually(lambda: is_gone(pid))
        assert student.g() == 2
    assert zygote() is not old
    assert not Path(old.folder).exists()


def test_a_zygote_killed_between_submissions_is_replaced_unnoticed() -> None:
    zygote().process.kill()
    zygote().process.wait()
    with jailed("def g(): return 2") as (student, _):
        assert student.g() == 2


def test_a_zygote_that_dies_when_it_starts_says_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_PROGRAM", "raise SystemExit('no torch here')")
    before = descriptors()
    with pytest.raises(ZygoteError, match="stopped when asked to start: no torch here"):
        launcher.Zygote()
    assert descriptors() == before


GRADER = """
import sys, time
from autograder.records import Limits
from autograder.sandbox.worker import SandboxPolicy, Worker, zygote
from autograder.testing.proxy import Student
source = "import threading\\ndef spin():\\n  while True: pass\\ndef f(): threading.Thread(target=spin, daemon=True).start()"
workers = [Worker(source, Limits(), SandboxPolicy(layers=layers)) for layers in (SandboxPolicy().layers, SandboxPolicy().layers[1:])]
for worker in workers:
    Student(worker).f()
print(zygote().process.pid, *(worker._process.pid for worker in workers), zygote().folder, flush=True)
time.sleep(600)
"""


def test_when_the_grader_is_killed_everything_of_it_ends() -> None:
    """SIGKILL leaves it no chance to clean up: zygote, spinning workers and scratch go by themselves."""
    grader = subprocess.Popen([sys.executable, "-P", "-c", GRADER], stdout=subprocess.PIPE, text=True)
    assert grader.stdout is not None
    *pids, folder = grader.stdout.readline().split()
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    grader.stdout.close()
    assert eventually(lambda: all(is_gone(int(pid)) for pid in pids))
    assert eventually(lambda: not Path(folder).exists())


def test_isolation_none_is_said(tmp_path: Path) -> None:
    """Without isolation a submission can read what the grader can; the worker says that it was so."""
    secret = tmp_path / "secret"
    secret.write_text("7")
    policy = SandboxPolicy(secrets=(str(secret),), layers=("limits",), required=False)
    with jailed("def f(path): return open(path).read()", SMALL, policy) as (student, worker):
        assert student.f(str(secret)) == "7"
        assert worker.isolation == "none"


def test_the_parts_that_others_use_have_their_names() -> None:
    assert {"IsolationError", "SandboxPolicy", "Worker", "ZygoteError", "zygote"} <= set(worker_module.__all__)


# --- what an honest student may try ---------------------------------------------------------------------------------

WANTS_A_PROCESS = {
    "DataLoader": "list(torch.utils.data.DataLoader([x, x], num_workers=2))",
    "torch.compile": "torch.compile(lambda t: t * 2 + 1)(x)",
    "Pool": "__import__('multiprocessing').Pool(2).map(abs, [1])",
    "ProcessPoolExecutor": "list(__import__('concurrent.futures', fromlist=['x']).ProcessPoolExecutor(2).map(abs, [1]))",
    "subprocess": "__import__('subprocess').run(['ls'])",
}


@pytest.mark.parametrize("wish", WANTS_A_PROCESS.values(), ids=WANTS_A_PROCESS)
def test_who_wants_another_process_is_told_so_in_our_words(wish: str) -> None:
    with Worker(f"import torch\n\ndef f(x):\n    return {wish}\n", Limits()) as worker:
        student = Student(worker)
        with pytest.raises(JailedError, match="leave out torch.compile.*num_workers=0") as caught:
            student.f(torch.ones(3))
        for hidden in (False, True):
            found = verdict(caught.value, student, hidden=hidden, in_test=True)
            assert found["status"] == "failed"
            assert "num_workers=0" in found["message"]


def test_what_needs_no_other_process_is_done() -> None:
    source = """
        import torch
        from concurrent.futures import ThreadPoolExecutor
        def loaded(x):
            return torch.cat(list(torch.utils.data.DataLoader(x, batch_size=2)))
        def threads(x):
            return list(ThreadPoolExecutor(2).map(float, x))
        def missing_file(x):
            return open("no such file")
    """
    with Worker(textwrap.dedent(source), Limits()) as worker:
        student = Student(worker)
        assert torch.equal(student.loaded(torch.arange(3.0)), torch.arange(3.0))
        assert student.threads(torch.arange(3.0)) == [0.0, 1.0, 2.0]
        with pytest.raises(OSError, match="no such file"):
            student.missing_file(torch.ones(1))
