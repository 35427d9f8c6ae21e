"""The trials of `ptqlab doctor`, each in an interpreter of its own: `python -P -c "…; main('landlock')"`.

A trial does the thing itself (unshares, restricts itself, opens a session) and returns the facts about it;
the process then ends, and its restrictions with it.
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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.doctor.facts import (
    ControlGroupFacts,
    LandlockFacts,
    NamespaceFacts,
    OnnxRuntimeFacts,
    PackageFacts,
    SeccompFacts,
    TorchFacts,
    WorkerFacts,
)
from autograder.submission.packages import PACKAGES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_OWN_TRIALS = ("torch", "onnxruntime")
_PACKAGES = (*(name for name in PACKAGES if name not in _OWN_TRIALS), "jupyterlab", "nbgrader")


def main(name: str) -> None:
    """Run one trial and write its facts as JSON, the last line of stdout; an unexpected error is {"error": …}."""
    try:
        values: dict[str, Any] = asdict(TRIALS[name]())
    except Exception as error:
        values = {"error": f"{type(error).__name__}: {error}"}
    os.write(1, b"\n" + json.dumps(values).encode() + b"\n")
    os._exit(0)  # a restricted process may not be able to end in the ordinary way


def namespaces(own_user: bool) -> NamespaceFacts:
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
        return NamespaceFacts(refusal=str(error))
    return NamespaceFacts(refusal="")


def landlock() -> LandlockFacts:
    """Shut every file, then try to read one."""
    from autograder.sandbox import kernel  # noqa: PLC0415 - Linux only

    abi = kernel.landlock_abi()
    if not abi:
        return LandlockFacts(abi=0, held=False)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.landlock([], [], [])
    try:
        os.close(os.open(__file__, os.O_RDONLY))
    except PermissionError:
        return LandlockFacts(abi, held=True)
    return LandlockFacts(abi, held=False)


def seccomp() -> SeccompFacts:
    """Install the very filter that a worker gets, then try to open a socket."""
    from autograder.sandbox import kernel, syscalls  # noqa: PLC0415 - Linux only

    kernel_filters = _kernel_filters()
    try:
        importlib.import_module("pyseccomp")
    except ModuleNotFoundError:
        has_library = ctypes.util.find_library("seccomp") is not None
        return SeccompFacts(kernel_filters, library=has_library, package=False, held=False)
    except (RuntimeError, OSError):
        return SeccompFacts(kernel_filters, library=False, package=True, held=False)
    program = syscalls.compile_filter()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.install_seccomp(program)
    try:
        socket.socket().close()
    except PermissionError:
        return SeccompFacts(kernel_filters, library=True, package=True, held=True)
    return SeccompFacts(kernel_filters, library=True, package=True, held=False)


def _kernel_filters() -> bool:
    """Return True if the kernel takes filters: given none, it complains about the address, not about the request."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(22, 2, None, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    return ctypes.get_errno() == errno.EFAULT


def control_groups() -> ControlGroupFacts:
    """Enter control groups as a zygote does."""
    from autograder.sandbox import cgroups as groups  # noqa: PLC0415 - Linux only

    group = groups.Group(f"ptqlab-doctor-{os.getpid()}")
    group.leave()
    return ControlGroupFacts(tuple(group.words), group.refused)


def worker() -> WorkerFacts:
    """Start a worker as grading does: it attempts each item of the isolation floor and must be refused."""
    from autograder.records import Limits  # noqa: PLC0415
    from autograder.sandbox import worker  # noqa: PLC0415 - Linux only

    with tempfile.NamedTemporaryFile(prefix="ptqlab-doctor-") as secret:
        secret.write(b"secret")
        secret.flush()
        try:
            with worker.Worker("", Limits(), worker.SandboxPolicy(secrets=(secret.name,))) as jailed:
                jailed.start()
                return WorkerFacts(jailed.isolation, refusal="")
        except worker.IsolationError as error:
            return WorkerFacts("", refusal=str(error))
        finally:
            worker.zygote().close()


def torch() -> TorchFacts:
    """Devices as torch sees them. CUDA is initialised here, never in the grader's own process."""
    module = importlib.import_module("torch")
    simulated = importlib.import_module("autograder.runtime.simulated.device")
    cuda = module.cuda.is_available()
    devices = [module.cuda.get_device_properties(i) for i in range(module.cuda.device_count())] if cuda else []
    return TorchFacts(
        version=module.__version__,
        cpu_kernels=module.backends.cpu.get_cpu_capability(),
        cuda_build=module.version.cuda or "",
        gpus=tuple(f"{device.name}, {device.total_memory / 2**30:.0f} GiB" for device in devices),
        has_mps=bool(module.backends.mps.is_available()),
        no_simulated_device="" if simulated.available() else simulated.unavailable_reason(),
    )


def onnxruntime() -> OnnxRuntimeFacts:
    """Open a session with each provider on offer, see whether it was taken, and multiply u8 by s8."""
    runtime = importlib.import_module("onnxruntime")
    numpy = importlib.import_module("numpy")
    offered = runtime.get_available_providers()
    runtime.set_default_logger_severity(4)
    # one at a time: with several, one that fails takes others down with it
    sessions = {name: runtime.InferenceSession(_u8_s8_product(), providers=[name]) for name in offered}
    a = numpy.full((32, 64), 255, dtype=numpy.uint8)
    b = numpy.full((64, 32), 127, dtype=numpy.int8)
    (product,) = sessions["CPUExecutionProvider"].run(None, {"a": a, "b": b})
    return OnnxRuntimeFacts(
        version=runtime.__version__,
        offered_providers=tuple(offered),
        session_providers=tuple(name for name, session in sessions.items() if name in session.get_providers()),
        saturates=bool((product != 64 * 255 * 127).any()),
    )


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


def packages() -> PackageFacts:
    """Import the packages that have no trial of their own."""
    versions: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            versions[name] = str(importlib.import_module(name).__version__)
        except ModuleNotFoundError as error:
            if error.name != name:  # the package is there, and what it imports is not
                errors[name] = str(error)
        except Exception as error:
            errors[name] = f"{type(error).__name__}: {error}"
    return PackageFacts(versions, errors)


TRIALS: dict[str, Callable[[], DataclassInstance]] = {
    "user_namespaces": lambda: namespaces(own_user=True),
    "root_namespaces": lambda: namespaces(own_user=False),
    "landlock": landlock,
    "seccomp": seccomp,
    "control_groups": control_groups,
    "worker": worker,
    "torch": torch,
    "onnxruntime": onnxruntime,
    "packages": packages,
}

if __name__ == "__main__":
    main(sys.argv[1])
