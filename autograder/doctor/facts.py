"""What the doctor establishes about a machine, by subject. Facts hold no sentences of ours; `findings` makes those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Unknown:
    """A trial that did not finish, and the reason."""

    reason: str


# --- isolation, on Linux alone ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surroundings:
    """This process's user id and container, and the kernel's settings for user namespaces by file below /proc/sys."""

    uid: int
    container: str
    kernel_settings: Mapping[str, str]


@dataclass(frozen=True)
class WorkerFacts:
    """A jailed worker was started: the isolation that it reached, or the grader's reason to refuse this machine."""

    isolation: str
    refusal: str


@dataclass(frozen=True)
class NamespaceFacts:
    """An attempt to leave the machine's namespaces: the kernel's error, or an empty text."""

    refusal: str


@dataclass(frozen=True)
class LandlockFacts:
    """Landlock's ABI, 0 where the kernel has none, and whether it kept a file shut."""

    abi: int
    held: bool


@dataclass(frozen=True)
class SeccompFacts:
    """What seccomp needs: kernel, library, Python package; `held`: the worker's filter stopped a forbidden call."""

    kernel: bool
    library: bool
    package: bool
    held: bool


@dataclass(frozen=True)
class ControlGroupFacts:
    """The control groups that a process could enter, and the error of one that it could not."""

    entered: tuple[str, ...]
    refusal: str


@dataclass(frozen=True)
class IsolationFacts:
    """What keeps student code in."""

    surroundings: Surroundings
    worker: WorkerFacts | Unknown
    root_namespaces: NamespaceFacts | Unknown
    user_namespaces: NamespaceFacts | Unknown
    landlock: LandlockFacts | Unknown
    seccomp: SeccompFacts | Unknown
    control_groups: ControlGroupFacts | Unknown


# --- devices, instruction sets, runtimes --------------------------------------------------------------------------


@dataclass(frozen=True)
class TorchFacts:
    """torch as imported. `cuda_build`: the CUDA it is built for; `no_simulated_device`: why that device is missing."""

    version: str
    cpu_kernels: str
    cuda_build: str
    gpus: tuple[str, ...]
    has_mps: bool
    no_simulated_device: str


@dataclass(frozen=True)
class OnnxRuntimeFacts:
    """ONNX Runtime as imported: providers on offer, those that a session took, and its u8×s8 product."""

    version: str
    offered_providers: tuple[str, ...]
    session_providers: tuple[str, ...]
    saturates: bool


@dataclass(frozen=True)
class PackageFacts:
    """Packages by name: the version of each that imports, and the error of each that is installed and does not."""

    versions: Mapping[str, str]
    import_errors: Mapping[str, str]


@dataclass(frozen=True)
class DeviceFacts:
    """The devices that `--device` can name, and the simulated one."""

    torch: TorchFacts | Unknown


@dataclass(frozen=True)
class InstructionFacts:
    """Instruction sets for int8 by name, None where the system does not list them; the system and its architecture.

    `saturates`: whether ONNX Runtime's u8×s8 product did when it was tried; None when it could not be tried.
    """

    offered: Mapping[str, bool] | None
    saturates: bool | None
    system: str


@dataclass(frozen=True)
class RuntimeFacts:
    """Python and its packages. `onnxruntime_builds`: the installed distributions that bring a package onnxruntime."""

    python: str
    torch: TorchFacts | Unknown
    packages: PackageFacts | Unknown
    onnxruntime: OnnxRuntimeFacts | Unknown
    onnxruntime_builds: tuple[str, ...]


@dataclass(frozen=True)
class MachineFacts:
    """All that the doctor establishes; no isolation is tried on other systems than Linux."""

    system: str
    isolation: IsolationFacts | None
    devices: DeviceFacts
    instructions: InstructionFacts
    runtimes: RuntimeFacts
