"""From facts to findings: what each fact means for grading and for quantized arithmetic, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autograder.doctor.facts import (
    ControlGroupFacts,
    DeviceFacts,
    InstructionFacts,
    IsolationFacts,
    LandlockFacts,
    MachineFacts,
    NamespaceFacts,
    OnnxRuntimeFacts,
    PackageFacts,
    RuntimeFacts,
    SeccompFacts,
    Surroundings,
    TorchFacts,
    Unknown,
    WorkerFacts,
)
from autograder.submission.packages import PACKAGES


class Verdict(StrEnum):
    """What a finding means for the reader."""

    GOOD = "good"
    BAD = "bad"
    NOTE = "note"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One subject of the examination: its name, what was observed, and what that means in a sentence."""

    subject: str
    observation: str
    verdict: Verdict
    meaning: str = ""


def findings(machine: MachineFacts) -> dict[str, tuple[Finding, ...]]:
    """Return the findings by section."""
    isolation = (_no_isolation(machine.system),) if machine.isolation is None else isolation_findings(machine.isolation)
    return {
        "Isolation": isolation,
        "Devices": device_findings(machine.devices),
        "Instruction sets": instruction_findings(machine.instructions),
        "Runtimes": runtime_findings(machine.runtimes),
    }


def _unknown(subject: str, trial: Unknown, meaning: str = "") -> Finding:
    return Finding(subject, f"unknown: {trial.reason}", Verdict.UNKNOWN, meaning)


# --- isolation ----------------------------------------------------------------------------------------------------

_USER_NAMESPACE_CURES = {  # file below /proc/sys: the value that forbids user namespaces, and the one that allows them
    "kernel/unprivileged_userns_clone": ("0", "1"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
    "user/max_user_namespaces": ("0", "10000"),
}


def isolation_findings(facts: IsolationFacts) -> tuple[Finding, ...]:
    """Say whether grading holds its isolation floor here, and which layer does what."""
    return (
        _grading(facts.worker),
        _user(facts.surroundings),
        _namespaces(facts.root_namespaces, facts.user_namespaces, facts.surroundings),
        _landlock(facts.landlock),
        _seccomp(facts.seccomp),
        _control_groups(facts.control_groups),
    )


def _no_isolation(system: str) -> Finding:
    meaning = "Grading needs Linux. Checking your own work works here: `ptqlab check`, and check() in a notebook."
    return Finding("Grading", f"not on {system or 'this system'}", Verdict.NOTE, meaning)


def _grading(worker: WorkerFacts | Unknown) -> Finding:
    if isinstance(worker, Unknown):
        return _unknown("Grading", worker, "A worker could not be started to try it.")
    if worker.refusal:
        return Finding("Grading", "refused on this machine", Verdict.BAD, worker.refusal)
    meaning = (
        "A worker was started, and tried to reach the network, other files, processes and programs: all was "
        "refused. Submissions can be graded here."
    )
    return Finding("Grading", f"ready ({worker.isolation})", Verdict.GOOD, meaning)


def _user(surroundings: Surroundings) -> Finding:
    is_root = surroundings.uid == 0
    user = "root" if is_root else f"an ordinary user (uid {surroundings.uid})"
    place = f"in a container ({surroundings.container})" if surroundings.container else "not in a container"
    meaning = "A worker can be given a user of its own." if is_root else "A worker runs as you, without capabilities."
    return Finding("Running as", f"{user}, {place}", Verdict.NOTE, meaning)


def _namespaces(
    as_root: NamespaceFacts | Unknown, as_user: NamespaceFacts | Unknown, surroundings: Surroundings
) -> Finding:
    ways = {"as root": as_root, "through a user namespace": as_user}
    usable = [way for way, facts in ways.items() if isinstance(facts, NamespaceFacts) and not facts.refusal]
    if usable:
        meaning = "A worker sees a root of its own without your files, and no network."
        return Finding("Namespaces", f"usable {' and '.join(usable)}", Verdict.GOOD, meaning)
    if isinstance(as_user, Unknown):
        return _unknown("Namespaces", as_user)
    meaning = f"Landlock and seccomp must hold alone. {_namespace_cure(surroundings)}"
    return Finding("Namespaces", f"refused ({as_user.refusal})", Verdict.BAD, meaning)


def _namespace_cure(surroundings: Surroundings) -> str:
    for file, (forbidding, allowing) in _USER_NAMESPACE_CURES.items():
        if surroundings.kernel_settings.get(file) == forbidding:
            name = file.replace("/", ".")
            return f"The setting {name} is {forbidding}: `sysctl {name}={allowing}` (as root) allows them."
    if surroundings.container:
        return "A container's profile often forbids them."
    return "The kernel gives no reason."


def _landlock(facts: LandlockFacts | Unknown) -> Finding:
    if isinstance(facts, Unknown):
        return _unknown("Landlock", facts)
    if not facts.abi:
        meaning = "Linux 5.13 and newer has it, where the boot option `lsm=` does not leave it out."
        return Finding("Landlock", "not offered by this kernel", Verdict.BAD, meaning)
    if not facts.held:
        return Finding("Landlock", f"ABI {facts.abi}, but a forbidden file could be read", Verdict.BAD)
    ports = "and TCP ports" if facts.abi >= 4 else "but not TCP ports (ABI 4 and newer does)"
    return Finding("Landlock", f"ABI {facts.abi}", Verdict.GOOD, f"It shuts a worker's files {ports}.")


def _seccomp(facts: SeccompFacts | Unknown) -> Finding:
    if isinstance(facts, Unknown):
        return _unknown("seccomp", facts)
    if not facts.kernel:
        return Finding("seccomp", "not offered by this kernel", Verdict.BAD, "Grading needs it.")
    missing = []
    if not facts.library:
        missing.append("libseccomp (apt-get install libseccomp2, dnf install libseccomp, or apk add libseccomp)")
    if not facts.package:
        missing.append("pyseccomp (pip install 'ptqlab[grade]')")
    if missing:
        meaning = f"Install {' and '.join(missing)}."
        return Finding("seccomp", "the kernel offers it; a library is missing", Verdict.BAD, meaning)
    if not facts.held:
        return Finding("seccomp", "a filter was installed, but a forbidden call went through", Verdict.BAD)
    meaning = "A worker may make only the listed system calls."
    return Finding("seccomp", "usable, libseccomp is installed", Verdict.GOOD, meaning)


def _control_groups(facts: ControlGroupFacts | Unknown) -> Finding:
    if isinstance(facts, Unknown):
        return _unknown("Control groups", facts)
    if facts.entered:
        meaning = "Memory and processes of a worker are counted together, root's too."
        return Finding("Control groups", f"usable ({', '.join(facts.entered)})", Verdict.GOOD, meaning)
    observation = f"not ours to make ({facts.refusal})" if facts.refusal else "none found"
    return Finding("Control groups", observation, Verdict.NOTE, "Resource limits bound each worker alone.")


# --- devices ------------------------------------------------------------------------------------------------------


def device_findings(facts: DeviceFacts) -> tuple[Finding, ...]:
    """Describe the devices that `--device` can name, and the simulated one."""
    torch = facts.torch
    if isinstance(torch, Unknown):
        return (_unknown("torch", torch, "No device can be used before torch imports."),)
    mps = (Finding("MPS", "available", Verdict.NOTE, "Not used."),) if torch.has_mps else ()
    cpu = Finding("CPU", f"torch uses its {torch.cpu_kernels} kernels", Verdict.GOOD)
    return (cpu, _simulated_device(torch), _cuda(torch), *mps)


def _simulated_device(torch: TorchFacts) -> Finding:
    if torch.no_simulated_device:
        meaning = "Grading refuses to start without it."
        return Finding("Simulated device", torch.no_simulated_device, Verdict.BAD, meaning)
    return Finding("Simulated device", "available", Verdict.GOOD, "Device mistakes are found without a GPU.")


def _cuda(torch: TorchFacts) -> Finding:
    if torch.gpus:
        return Finding("CUDA", "; ".join(torch.gpus), Verdict.GOOD, "Device tests also run on it.")
    meaning = "Tests run on the CPU and on the simulated device."
    if not torch.cuda_build:
        return Finding("CUDA", "no: this torch is built without it", Verdict.NOTE, meaning)
    observation = f"torch is built for CUDA {torch.cuda_build}, but finds no GPU"
    return Finding("CUDA", observation, Verdict.NOTE, f"{meaning} Is there a GPU, and its driver (nvidia-smi)?")


# --- instruction sets ---------------------------------------------------------------------------------------------

_VNNI = ("AVX512-VNNI", "AVX-VNNI", "AMX-INT8")  # any of them sums int8 products in 32 bits


def instruction_findings(facts: InstructionFacts) -> tuple[Finding, ...]:
    """Say which instruction sets there are, and what they mean for int8."""
    if facts.offered is None:
        meaning = f"{facts.system} does not list them for us."
        sets = Finding("AVX, VNNI, AMX", "unknown", Verdict.UNKNOWN, meaning)
        return (sets, _int8_products(None, facts.saturates))
    each = (
        Finding(name, "yes" if is_offered else "no", Verdict.GOOD if is_offered else Verdict.NOTE)
        for name, is_offered in facts.offered.items()
    )
    return (*each, _int8_products(any(facts.offered[name] for name in _VNNI), facts.saturates))


def _int8_products(vnni: bool | None, saturates: bool | None) -> Finding:
    """Describe uint8 times int8 on this machine, as measured; where it was not, as the instruction sets let expect."""
    subject = "int8 products"
    condition = {True: "", False: "No VNNI: ", None: "Where there is no VNNI, "}[vnni]
    warning = (
        f"{condition}ONNX Runtime's u8×s8 kernels saturate; use unsigned weights or reduce_range; do not expect the "
        "handout's 2.5×."
    )
    if saturates:
        return Finding(subject, "u8×s8 saturates (measured with ONNX Runtime)", Verdict.BAD, warning)
    if saturates is None and vnni is False:
        return Finding(subject, "u8×s8 should saturate (not measured)", Verdict.BAD, warning)
    if saturates is None:
        return Finding(subject, "unknown: ONNX Runtime did not run", Verdict.UNKNOWN, "" if vnni else warning)
    speed = {
        True: "int8 layers can also be faster than float32.",
        False: "No VNNI: do not expect the handout's 2.5×.",
        None: "",
    }
    return Finding(subject, "u8×s8 is exact (measured with ONNX Runtime)", Verdict.GOOD, speed[vnni])


# --- runtimes -----------------------------------------------------------------------------------------------------

_PURPOSES = {  # package: why it is needed, where that is not always
    **{name: "" for name in PACKAGES if name not in ("torch", "onnxruntime")},
    "jupyterlab": "Needed to work in the notebooks: pip install 'ptqlab[lab]'.",
    "nbgrader": "Needed only to grade with nbgrader: pip install 'ptqlab[peers]'.",
}


def runtime_findings(facts: RuntimeFacts) -> tuple[Finding, ...]:
    """Describe Python and the packages, each as imported, not as declared."""
    python = Finding("Python", facts.python, Verdict.GOOD)
    if isinstance(facts.torch, Unknown):
        torch = _unknown("torch", facts.torch)
    else:
        torch = Finding("torch", facts.torch.version, Verdict.GOOD)
    return (python, torch, *_packages(facts.packages), *_onnxruntime(facts.onnxruntime, facts.onnxruntime_builds))


def _packages(facts: PackageFacts | Unknown) -> list[Finding]:
    if isinstance(facts, Unknown):
        return [_unknown("other packages", facts)]
    return [_package(name, facts.versions.get(name), facts.import_errors.get(name)) for name in _PURPOSES]


def _package(name: str, version: str | None, import_error: str | None) -> Finding:
    if version is not None:
        return Finding(name, version, Verdict.GOOD)
    if import_error is not None:
        observation = f"installed, but does not import: {import_error}"
        return Finding(name, observation, Verdict.BAD, f"Try pip install --force-reinstall {name}.")
    purpose = _PURPOSES[name]
    verdict = Verdict.NOTE if purpose else Verdict.BAD
    return Finding(name, "not installed", verdict, purpose or "pip install ptqlab brings it.")


def _onnxruntime(facts: OnnxRuntimeFacts | Unknown, builds: tuple[str, ...]) -> list[Finding]:
    if len(builds) > 1:
        meaning = f"They overwrite each other: pip uninstall {' '.join(builds)}, then install one again."
        return [Finding("onnxruntime", f"{' and '.join(builds)} are both installed", Verdict.BAD, meaning)]
    if isinstance(facts, Unknown):
        return [_unknown("onnxruntime", facts)]
    return [Finding("".join(builds) or "onnxruntime", facts.version, Verdict.GOOD), _sessions(facts)]


def _sessions(facts: OnnxRuntimeFacts) -> Finding:
    """Name the providers that a session took; those on offer include some whose libraries are missing."""
    used = [_short(name) for name in facts.session_providers]
    idle = [_short(name) for name in facts.offered_providers if name not in facts.session_providers]
    meaning = f"Listed as available, but taken by no session: {', '.join(idle)}." if idle else ""
    verdict = Verdict.GOOD if "CUDA" in used else Verdict.NOTE
    return Finding("ONNX sessions", f"run on {', '.join(used)}", verdict, meaning)


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")
