"""`ptqlab doctor`: each trial does the thing itself, facts hold what came of it, and findings say what it means."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from autograder.doctor import examination, trials
from autograder.doctor.examination import attempt, examine
from autograder.doctor.facts import (
    ControlGroupFacts,
    DeviceFacts,
    InstructionFacts,
    IsolationFacts,
    LandlockFacts,
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
from autograder.doctor.findings import (
    Finding,
    Verdict,
    device_findings,
    findings,
    instruction_findings,
    isolation_findings,
    runtime_findings,
)
from autograder.doctor.text import render
from autograder.runtime.cpu import offered_sets

linux = pytest.mark.skipif(sys.platform != "linux", reason="isolation is examined on Linux only")

USER = Surroundings(uid=1000, container="", kernel_settings={})
HELD = IsolationFacts(
    surroundings=USER,
    worker=WorkerFacts(isolation="namespaces, Landlock 7, seccomp", refusal=""),
    root_namespaces=NamespaceFacts("unshare: Operation not permitted"),
    user_namespaces=NamespaceFacts(""),
    landlock=LandlockFacts(abi=7, held=True),
    seccomp=SeccompFacts(kernel=True, library=True, package=True, held=True),
    control_groups=ControlGroupFacts(entered=(), refusal="v2: Permission denied"),
)
TORCH = TorchFacts(version="2.13", cpu_kernels="AVX2", cuda_build="", gpus=(), has_mps=False, no_simulated_device="")
ONNX = OnnxRuntimeFacts(
    version="1.31.1",
    offered_providers=("CPUExecutionProvider",),
    session_providers=("CPUExecutionProvider",),
    saturates=False,
)
PACKAGES = PackageFacts(
    versions={"numpy": "2.4", "safetensors": "0.8", "jupyterlab": "4.6"},
    import_errors={"transformers": "no torchvision"},
)
RUNTIMES = RuntimeFacts("3.11.7 on Linux", TORCH, PACKAGES, ONNX, ("onnxruntime-gpu",))


def isolation(**changes: Any) -> dict[str, Finding]:
    return by_subject(isolation_findings(replace(HELD, **changes)))


def by_subject(sequence: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in sequence}


# --- isolation ---


def test_a_machine_that_holds_everything_is_ready() -> None:
    observed = isolation()
    assert [finding.verdict for finding in observed.values()].count(Verdict.BAD) == 0
    assert observed["Grading"].observation == "ready (namespaces, Landlock 7, seccomp)"
    assert observed["Running as"].observation == "an ordinary user (uid 1000), not in a container"
    assert observed["Namespaces"].observation == "usable through a user namespace"


def test_a_machine_below_the_floor_passes_on_what_the_grader_said() -> None:
    refused = "grading needs isolation that this machine does not give: no network"
    finding = isolation(worker=WorkerFacts("", refused))["Grading"]
    assert (finding.verdict, finding.meaning) == (Verdict.BAD, refused)


def test_a_probe_that_failed_is_unknown_and_never_good() -> None:
    trials_of = [name for name in vars(HELD) if name != "surroundings"]
    observed = isolation(**dict.fromkeys(trials_of, Unknown("ImportError: no torch")))
    assert observed.pop("Running as").verdict is Verdict.NOTE
    assert {finding.verdict for finding in observed.values()} == {Verdict.UNKNOWN}
    assert all("ImportError: no torch" in finding.observation for finding in observed.values())


REFUSED = NamespaceFacts("unshare: Operation not permitted")


@pytest.mark.parametrize(
    "name, value, cure",
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ],
)
def test_refused_namespaces_name_the_setting_that_forbids_them(name: str, value: str, cure: str) -> None:
    finding = isolation(surroundings=Surroundings(1000, "", {name: value}), user_namespaces=REFUSED)["Namespaces"]
    assert finding.verdict is Verdict.BAD
    assert "Operation not permitted" in finding.observation
    assert cure in finding.meaning


def test_refused_namespaces_in_a_container_point_to_its_profile() -> None:
    observed = isolation(surroundings=Surroundings(0, "Docker", {}), user_namespaces=REFUSED)
    assert "container's profile" in observed["Namespaces"].meaning
    assert observed["Running as"].observation == "root, in a container (Docker)"


@pytest.mark.parametrize(
    "facts, words",
    [
        (LandlockFacts(abi=0, held=False), "not offered by this kernel"),
        (LandlockFacts(abi=7, held=False), "a forbidden file could be read"),
    ],
)
def test_landlock_is_good_only_where_it_held(facts: LandlockFacts, words: str) -> None:
    finding = isolation(landlock=facts)["Landlock"]
    assert finding.verdict is Verdict.BAD
    assert words in finding.observation


def test_landlock_before_abi_4_leaves_tcp() -> None:
    assert "but not TCP" in isolation(landlock=LandlockFacts(abi=3, held=True))["Landlock"].meaning
    assert "and TCP" in isolation(landlock=LandlockFacts(abi=4, held=True))["Landlock"].meaning


@pytest.mark.parametrize(
    "change, words",
    [
        ({"library": False}, "Install libseccomp (apt-get install libseccomp2"),
        ({"package": False}, "Install pyseccomp (pip install 'ptqlab[grade]')."),
        ({"kernel": False}, "Grading needs it."),
        ({"held": False}, "a forbidden call went through"),
    ],
)
def test_seccomp_says_what_is_missing_and_how_to_install_it(change: dict[str, bool], words: str) -> None:
    finding = isolation(seccomp=replace(HELD.seccomp, **change))["seccomp"]
    assert finding.verdict is Verdict.BAD
    assert words in f"{finding.observation} {finding.meaning}"


@pytest.mark.parametrize(
    "facts, observation, verdict",
    [
        (ControlGroupFacts(("control group v1",), "v2: Read-only"), "usable (control group v1)", Verdict.GOOD),
        (ControlGroupFacts((), "v2: Read-only"), "not ours to make (v2: Read-only)", Verdict.NOTE),
        (ControlGroupFacts((), ""), "none found", Verdict.NOTE),
    ],
)
def test_control_groups_say_what_they_bound_or_why_they_can_not(
    facts: ControlGroupFacts, observation: str, verdict: Verdict
) -> None:
    finding = isolation(control_groups=facts)["Control groups"]
    assert (finding.observation, finding.verdict) == (observation, verdict)


# --- devices, instruction sets, runtimes ---


def devices(**changes: Any) -> dict[str, Finding]:
    return by_subject(device_findings(DeviceFacts(replace(TORCH, **changes))))


def test_devices_are_what_torch_found() -> None:
    assert devices(gpus=("NVIDIA H100, 78 GiB",), cuda_build="13.0")["CUDA"].observation == "NVIDIA H100, 78 GiB"
    assert devices(cuda_build="13.0")["CUDA"].observation == "torch is built for CUDA 13.0, but finds no GPU"
    assert devices()["CUDA"].observation == "no: this torch is built without it"
    assert "MPS" not in devices()
    assert devices(has_mps=True)["MPS"].verdict is Verdict.NOTE


def test_a_missing_simulated_device_gives_its_reason() -> None:
    finding = devices(no_simulated_device="torch 3 has no such API")["Simulated device"]
    assert (finding.verdict, finding.observation) == (Verdict.BAD, "torch 3 has no such API")


def test_without_torch_no_device_is_claimed() -> None:
    (finding,) = device_findings(DeviceFacts(Unknown("ImportError")))
    assert finding.verdict is Verdict.UNKNOWN


AVX2 = frozenset({"avx2"})
VNNI = frozenset({"avx2", "avx512f", "avx512_vnni"})


def instructions(flags: frozenset[str] | None, saturates: bool | None) -> tuple[Finding, ...]:
    offered = None if flags is None else offered_sets(flags)
    return instruction_findings(InstructionFacts(offered, saturates, "Linux on x86_64"))


def test_instruction_sets_are_told_apart() -> None:
    observed = by_subject(instructions(frozenset({"avx2", "avx_vnni", "amx_int8"}), None))
    shown = {name: finding.observation for name, finding in observed.items() if name != "int8 products"}
    assert shown == {
        "AVX2": "yes",
        "AVX-512": "no",
        "AVX512-VNNI": "no",
        "AVX-VNNI": "yes",
        "AMX-INT8": "yes",
    }


@pytest.mark.parametrize(
    "flags, saturates, verdict, words",
    [
        (
            AVX2,
            True,
            Verdict.BAD,
            "No VNNI: ONNX Runtime's u8×s8 kernels saturate; use unsigned weights or reduce_range",
        ),
        (AVX2, None, Verdict.BAD, "should saturate (not measured)"),
        (AVX2, False, Verdict.GOOD, "No VNNI: do not expect the handout's 2.5×."),
        (VNNI, False, Verdict.GOOD, "u8×s8 is exact (measured"),
        (VNNI, True, Verdict.BAD, "u8×s8 saturates (measured"),
        (VNNI, None, Verdict.UNKNOWN, "ONNX Runtime did not run"),
        (None, None, Verdict.UNKNOWN, "Where there is no VNNI"),
        (None, False, Verdict.GOOD, "u8×s8 is exact (measured"),
    ],
)
def test_what_int8_products_do_is_measured_before_it_is_inferred(
    flags: frozenset[str] | None, saturates: bool | None, verdict: Verdict, words: str
) -> None:
    finding = instructions(flags, saturates)[-1]
    assert finding.verdict is verdict
    assert words in f"{finding.observation} {finding.meaning}"


def test_where_the_processor_does_not_tell_instruction_sets_are_unknown() -> None:
    first = instructions(None, None)[0]
    assert (first.observation, first.verdict) == ("unknown", Verdict.UNKNOWN)
    assert first.meaning == "Linux on x86_64 does not list them for us."


def runtimes(**changes: Any) -> dict[str, Finding]:
    return by_subject(runtime_findings(replace(RUNTIMES, **changes)))


def test_packages_are_present_missing_or_broken() -> None:
    observed = runtimes()
    assert observed["numpy"].verdict is Verdict.GOOD
    assert (observed["onnx"].verdict, observed["onnx"].observation) == (Verdict.BAD, "not installed")
    assert (observed["nbgrader"].verdict, observed["nbgrader"].observation) == (Verdict.NOTE, "not installed")
    assert observed["transformers"].observation == "installed, but does not import: no torchvision"
    assert observed["transformers"].verdict is Verdict.BAD


def test_runtimes_that_could_not_be_tried_are_unknown() -> None:
    lost = Unknown("killed")
    observed = runtimes(torch=lost, packages=lost, onnxruntime=lost)
    assert {name for name, finding in observed.items() if finding.verdict is Verdict.UNKNOWN} == {
        "torch",
        "other packages",
        "onnxruntime",
    }


def test_sessions_count_and_not_the_list_of_providers() -> None:
    offered = replace(ONNX, offered_providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
    finding = runtimes(onnxruntime=offered)["ONNX sessions"]
    assert (finding.observation, finding.verdict) == ("run on CPU", Verdict.NOTE)
    assert finding.meaning == "Listed as available, but taken by no session: CUDA."
    assert runtimes()["ONNX sessions"].meaning == ""


def test_two_builds_of_onnxruntime_are_a_broken_installation() -> None:
    finding = runtimes(onnxruntime_builds=("onnxruntime", "onnxruntime-gpu"))["onnxruntime"]
    assert finding.verdict is Verdict.BAD
    assert "pip uninstall onnxruntime onnxruntime-gpu" in finding.meaning


# --- the trials themselves, on this machine ---


@linux
@pytest.mark.parametrize(
    "trial, kind",
    [
        ("user_namespaces", NamespaceFacts),
        ("root_namespaces", NamespaceFacts),
        ("landlock", LandlockFacts),
        ("seccomp", SeccompFacts),
        ("control_groups", ControlGroupFacts),
    ],
)
def test_a_trial_of_isolation_ends_with_facts(trial: str, kind: type[Any]) -> None:
    assert isinstance(attempt(trial, kind), kind)


@linux
def test_a_worker_is_started_to_see_whether_grading_is_possible() -> None:
    facts = attempt("worker", WorkerFacts)
    assert isinstance(facts, WorkerFacts)
    assert bool(facts.isolation) is not bool(facts.refusal)


@linux
def test_landlock_held_exactly_where_the_kernel_has_it() -> None:
    facts = attempt("landlock", LandlockFacts)
    assert isinstance(facts, LandlockFacts)
    assert facts.held is (facts.abi > 0)


@linux
def test_trials_of_control_groups_leave_no_group_behind() -> None:
    attempt("control_groups", ControlGroupFacts)
    assert not list(Path("/sys/fs/cgroup").glob("**/ptqlab-doctor-*"))


def test_the_product_is_multiplied_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    honest = onnxruntime.InferenceSession.run
    assert trials.onnxruntime().saturates in (True, False)
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", lambda self, *a: [honest(self, *a)[0] - 1])
    assert trials.onnxruntime().saturates is True


def test_cuda_is_asked_in_another_process() -> None:
    """A CUDA context in the grader's process would break the workers that it forks."""
    program = (
        "import sys\n"
        "from autograder.doctor.examination import attempt\n"
        "from autograder.doctor.facts import TorchFacts\n"
        "print(type(attempt('torch', TorchFacts)).__name__, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["TorchFacts", "False"]


def test_a_trial_that_dies_is_unknown_and_its_last_words_are_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempt("no such trial", PackageFacts) == Unknown("KeyError: 'no such trial'")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    lost = attempt("packages", PackageFacts)
    assert isinstance(lost, Unknown)
    assert "the trial did not finish" in lost.reason


def test_a_trial_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "TRIAL_S", 0.001)
    lost = attempt("packages", PackageFacts)
    assert isinstance(lost, Unknown)
    assert "the trial did not finish" in lost.reason


def test_other_systems_are_told_less_and_no_isolation_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pretend(trial: str, kind: type[Any]) -> Unknown:
        asked.append(trial)
        return Unknown("not run")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(examination, "attempt", pretend)
    (grading,) = findings(examine())["Isolation"]
    assert sorted(asked) == ["onnxruntime", "packages", "torch"]
    assert "Grading needs Linux." in grading.meaning


def test_the_doctor_imports_where_there_is_no_linux() -> None:
    """Also on Windows: no fork, no resource, and no libc to load."""
    program = (
        "import os, sys, ctypes\n"
        "for name in ('fork', 'geteuid'): os.__dict__.pop(name, None)\n"
        "for name in ('resource', 'fcntl', 'pwd', 'pyseccomp'): sys.modules[name] = None\n"
        "ctypes.CDLL = None\n"
        "import autograder.doctor.examination, autograder.doctor.findings, autograder.doctor.text"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- on the page ---


def test_the_text_stays_within_80_columns_and_keeps_brackets() -> None:
    long = Finding("A name that is too long for it", "found " * 40, Verdict.BAD, "pip install 'ptqlab[grade]' " * 9)
    text = str(render({"Isolation": (long,), "Devices": (long,), "Runtimes": (Finding("torch", "2", Verdict.GOOD),)}))
    lines = text.splitlines()
    assert max(cell_len(line) for line in lines[2:]) <= 80
    assert text.count("ptqlab[grade]") == 18
    assert lines[0] == "Isolation"
    assert lines[-1] == "  ✓ torch               2"


def test_every_verdict_has_a_mark_of_its_own() -> None:
    lines = str(render({"All": [Finding(str(verdict), "", verdict) for verdict in Verdict]})).splitlines()[1:]
    assert len({line.split()[0] for line in lines}) == len(Verdict)
