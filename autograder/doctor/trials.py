"""What `ptqlab doctor` tries, each in an interpreter of its own: `python -P -c "…; main('landlock')"`.

A probe does the thing itself (unshares, restricts itself, opens a session) and tells what came of it as a
dict of plain values; the process then ends, and its restrictions with it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import importlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Facts = dict[str, Any]


def main(name: str) -> None:
    """Run one probe and write its facts as the last line of stdout; an unexpected error is a fact too."""
    try:
        facts = PROBES[name]()
    except Exception as error:
        facts = {"error": f"{type(error).__name__}: {error}"}
    os.write(1, b"\n" + json.dumps(facts).encode() + b"\n")
    os._exit(0)  # a restricted process may not be able to end in the ordinary way


def namespaces(own_user: bool) -> Facts:
    """Leave the machine's namespaces and mount something: some systems allow the one and refuse the other."""
    from autograder.sandbox import kernel  # noqa: PLC0415 - Linux only

    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
    uid, gid = os.geteuid(), os.getegid()
    try:
        kernel.unshare(flags | (kernel.CLONE_NEWUSER if own_user else 0))
        if own_user:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"1000 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"1000 {gid} 1")
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID)
    except OSError as error:
        return {"refused": str(error)}
    return {"refused": ""}


def landlock() -> Facts:
    """Shut every file, then try to read one."""
    from autograder.sandbox import kernel  # noqa: PLC0415 - Linux only

    abi = kernel.landlock_abi()
    if not abi:
        return {"abi": 0, "held": False}
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.landlock([], [], [])
    try:
        os.close(os.open(__file__, os.O_RDONLY))
    except PermissionError:
        return {"abi": abi, "held": True}
    return {"abi": abi, "held": False}


def seccomp() -> Facts:
    """Install the very filter that a worker gets, then try to open a socket."""
    from autograder.sandbox import kernel, syscalls  # noqa: PLC0415 - Linux only

    facts: Facts = {"kernel": _kernel_filters(), "package": True, "library": True, "held": False}
    try:
        importlib.import_module("pyseccomp")
    except ModuleNotFoundError:
        return facts | {"package": False, "library": ctypes.util.find_library("seccomp") is not None}
    except (RuntimeError, OSError):
        return facts | {"library": False}
    program = syscalls.compile_filter()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.install_seccomp(program)
    try:
        socket.socket().close()
    except PermissionError:
        facts["held"] = True
    return facts


def _kernel_filters() -> bool:
    """Whether the kernel takes filters: given none, it complains about the address, not about the request."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(22, 2, None, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    return ctypes.get_errno() == errno.EFAULT


def cgroups() -> Facts:
    """Enter control groups as a zygote does; a way in that is refused says why."""
    from autograder.sandbox import cgroups as groups  # noqa: PLC0415 - Linux only

    group = groups.Group(f"ptqlab-doctor-{os.getpid()}")
    group.leave()
    return {"entered": group.words, "refused": group.refused}


def worker() -> Facts:
    """Start a worker as grading does: it attempts each item of the isolation floor and must be refused."""
    from autograder.records import Limits  # noqa: PLC0415
    from autograder.sandbox import worker  # noqa: PLC0415 - Linux only

    with tempfile.NamedTemporaryFile(prefix="ptqlab-doctor-") as secret:
        secret.write(b"secret")
        secret.flush()
        try:
            with worker.Worker("", Limits(), worker.SandboxPolicy(secrets=(secret.name,))) as jailed:
                jailed.start()
                return {"reached": jailed.isolation, "refused": ""}
        except worker.IsolationError as error:
            return {"reached": "", "refused": str(error)}
        finally:
            worker.zygote().close()


def torch() -> Facts:
    """Devices as torch sees them. CUDA is initialised here, never in the grader's own process."""
    module = importlib.import_module("torch")
    simulated = importlib.import_module("autograder.runtime.simulated.device")
    cuda = module.cuda.is_available()
    devices = [module.cuda.get_device_properties(i) for i in range(module.cuda.device_count())] if cuda else []
    return {
        "version": module.__version__,
        "built_for": module.version.cuda or "",
        "cuda": [f"{device.name}, {device.total_memory / 2**30:.0f} GiB" for device in devices],
        "mps": bool(module.backends.mps.is_available()),
        "capability": module.backends.cpu.get_cpu_capability(),
        "simulated": "" if simulated.available() else simulated.unavailable_reason(),
    }


def onnxruntime() -> Facts:
    """Open a session with each provider on offer, see whether it was taken, and multiply u8 by s8."""
    runtime = importlib.import_module("onnxruntime")
    numpy = importlib.import_module("numpy")
    available = runtime.get_available_providers()
    runtime.set_default_logger_severity(4)
    # one at a time: with several, one that fails takes others down with it
    sessions = {name: runtime.InferenceSession(_u8_s8_product(), providers=[name]) for name in available}
    a = numpy.full((32, 64), 255, dtype=numpy.uint8)
    b = numpy.full((64, 32), 127, dtype=numpy.int8)
    (product,) = sessions["CPUExecutionProvider"].run(None, {"a": a, "b": b})
    return {
        "version": runtime.__version__,
        "available": available,
        "taken": [name for name, session in sessions.items() if name in session.get_providers()],
        "saturates": bool((product != 64 * 255 * 127).any()),
    }


def _u8_s8_product() -> bytes:
    """A model of one MatMulInteger: a uint8[M, K] @ b int8[K, N] -> c int32[M, N]."""
    onnx = importlib.import_module("onnx")
    kinds, make = onnx.TensorProto, onnx.helper
    graph = make.make_graph(
        [make.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "u8_s8_product",
        [
            make.make_tensor_value_info("a", kinds.UINT8, [None, None]),
            make.make_tensor_value_info("b", kinds.INT8, [None, None]),
        ],
        [make.make_tensor_value_info("c", kinds.INT32, [None, None])],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def imports() -> Facts:
    """Import what has no probe of its own: version, or why it does not import."""
    return {
        name: _imported(name) for name in ("numpy", "transformers", "onnx", "safetensors", "jupyterlab", "nbgrader")
    }


def _imported(name: str) -> Facts:
    try:
        return {"version": str(importlib.import_module(name).__version__)}
    except ModuleNotFoundError as error:
        return {"missing": True} if error.name == name else {"broken": str(error)}
    except Exception as error:
        return {"broken": f"{type(error).__name__}: {error}"}


PROBES: dict[str, Callable[[], Facts]] = {
    "own_user": lambda: namespaces(own_user=True),
    "as_root": lambda: namespaces(own_user=False),
    "landlock": landlock,
    "seccomp": seccomp,
    "cgroups": cgroups,
    "worker": worker,
    "torch": torch,
    "onnxruntime": onnxruntime,
    "imports": imports,
}
LINUX_ONLY = frozenset({"own_user", "as_root", "landlock", "seccomp", "cgroups", "worker"})

if __name__ == "__main__":
    main(sys.argv[1])
