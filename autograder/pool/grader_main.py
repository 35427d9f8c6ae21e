"""Inside a grading process: one job after the other, until nobody asks any more."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from autograder.sandbox import launcher, scratch

_LAST = ("last_exc", "last_type", "last_value", "last_traceback")  # in sys


def serve(descriptor: socket.socket, use_zygote: Callable[[], None], own: str) -> None:
    """Do one job after the other, until nobody asks any more. The folder `own` is for temporary files, and ends
    with it.
    """
    use_zygote()
    jobs = Connection(descriptor.detach())
    with contextlib.suppress(EOFError, OSError):
        environment, folder, path = jobs.recv()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.path[:] = path
        os.environ["TMPDIR"] = tempfile.tempdir = own
        while True:
            answer = _done(jobs.recv_bytes())
            freeze_heap()  # before the answer: then whoever looks at its memory sees what it keeps
            _reply(jobs, answer)
            del answer
    launcher.end()
    scratch.remove(own)
    os._exit(0)


def _done(message: bytes) -> tuple[bool, Any]:
    """Whether the job was done, and what came of it."""
    try:
        function, args, kwargs = pickle.loads(message)
        return True, function(*args, **kwargs)
    except Exception as error:
        error.add_note(traceback.format_exc())
        return False, error


def freeze_heap() -> None:
    """What one job took is not the next one's: no exception's frames, no cycles, no free pages are kept.

    pytest leaves the last exception of a test where debuggers look for it, and with it everything in its frames.
    The collector alone may not look at old objects for hundreds of jobs, and a large answer is soon old. What is left
    afterwards is kept on purpose (tests, cells, dialogues), and looked through no more: that took 8 ms a job.
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
    except Exception as error:  # it has no form that can be sent
        jobs.send((False, RuntimeError(f"the result can't be sent: {type(error).__name__}: {error}")))
