"""Inside a grading process: one job after the other, until the pool closes the pipe."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import resource
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from autograder.sandbox import launcher, scratch

OWN_MEMORY = 2 << 30  # bytes, for the tests of a submission
_LAST = ("last_exc", "last_type", "last_value", "last_traceback")  # in sys


def serve(pipe: socket.socket, use_zygote: Callable[[], None], folder: str) -> None:
    """Do one job after the other, until the pipe is closed. `folder` is for temporary files, and removed at the end."""
    use_zygote()
    jobs = Connection(pipe.detach())
    with contextlib.suppress(EOFError, OSError):
        environment, working_folder, path = jobs.recv()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(working_folder)
        sys.path[:] = path
        limit_memory()
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        while True:
            answer = _result(jobs.recv_bytes())
            freeze_heap()  # before the answer: whoever looks at this process's memory then sees only what it keeps
            _reply(jobs, answer)
            del answer
    launcher.end()
    scratch.remove(folder)
    os._exit(0)


def limit_memory() -> None:
    """Bound what this process may take beyond what it has: a test that hits it fails, and the process stays.

    Not where there is a GPU, whose driver reserves more than any machine has.
    """
    if os.path.exists("/dev/nvidiactl"):
        return
    has = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = has + OWN_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _result(message: bytes) -> tuple[bool, Any]:
    """Do a job; return whether it succeeded, and its value or error."""
    try:
        function, args, kwargs = pickle.loads(message)
        return True, function(*args, **kwargs)
    except Exception as error:
        error.add_note(traceback.format_exc())
        return False, error


def freeze_heap() -> None:
    """Drop what one job has left, for the next one: exceptions' frames, cycles, free pages.

    pytest leaves the last exception of a test where debuggers look for it, and with it everything in its frames.
    The collector alone may not look at old objects for hundreds of jobs, and a large answer is soon old. The rest is
    kept on purpose (tests, cells, recorded exchanges), and not looked through again, which took 8 ms a job.
    """
    for name in _LAST:
        vars(sys).pop(name, None)
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError):  # another libc than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _reply(jobs: Connection, answer: tuple[bool, Any]) -> None:
    try:
        jobs.send(answer)
    except OSError:
        raise
    except Exception as error:  # the value can't be pickled
        jobs.send((False, RuntimeError(f"the result can't be sent: {type(error).__name__}: {error}")))
