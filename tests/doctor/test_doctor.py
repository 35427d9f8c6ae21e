"""`ptqlab doctor`: each probe tries the thing itself, and each finding says what it means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from autograder.doctor.hardware import device_findings, instruction_findings
from autograder.doctor.isolation import Surroundings, isolation_findings
from autograder.doctor.runtimes import runtime_findings
from rich.cells import cell_len

from autograder import doctor
from autograder.doctor import Finding, Findings, Verdict, trials

linux = pytest.mark.skipif(sys.platform != "linux", reason="isolation is examined on Linux only")

USER = Surroundings(uid=1000, container="", settings={})
HELD: dict[str, dict[str, Any]] = {
    "worker": {"reached": "namespaces, Landlock 7, seccomp", "refused": ""},
    "own_user": {"refused": ""},
    "as_root": {"refused": "unshare: Operation not permitted"},
    "landlock": {"abi": 7, "held": True},
    "seccomp": {"kernel": True, "package": True, "library": True, "held": True},
    "cgroups": {"entered": [], "refused": "v2: Permission denied"},
}
TORCH = {"version": "2.13", "built_for": "", "cuda": [], "mps": False, "capability": "AVX2", "simulated": ""}
ONNX = {
    "version": "1.31.1",
    "available": ["CPUExecutionProvider"],
    "taken": ["CPUExecutionProvider"],
    "saturates": False,
}


def isolation(around: Surroundings = USER, **changes: dict[str, Any]) -> dict[str, Finding]:
    return {finding.name: finding for finding in isolation_findings({**HELD, **changes}, around)}


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


# --- isolation ---


def test_a_machine_that_holds_everything_is_ready() -> None:
    found = isolation()
    assert [finding.verdict for finding in found.values()].count(Verdict.BAD) == 0
    assert found["Grading"].found == "ready (namespaces, Landlock 7, seccomp)"
    assert found["Running as"].found == "an ordinary user (uid 1000), not in a container"
    assert found["Namespaces"].found == "usable through a user namespace"


def test_a_machine_below_the_floor_passes_on_what_the_grader_said() -> None:
    refused = "grading needs isolation that this machine does not give: no network"
    found = isolation(worker={"reached": "", "refused": refused})["Grading"]
    assert (found.verdict, found.meaning) == (Verdict.BAD, refused)


def test_a_probe_that_failed_is_unknown_and_never_good() -> None:
    error = {"error": "ImportError: no torch"}
    found = isolation(**dict.fromkeys(HELD, error))
    assert found.pop("Running as").verdict is Verdict.NOTE
    assert {finding.verdict for finding in found.values()} == {Verdict.UNKNOWN}
    assert all("ImportError: no torch" in finding.found for finding in found.values())


REFUSED = {"refused": "unshare: Operation not permitted"}


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
    found = isolation(Surroundings(1000, "", {name: value}), own_user=REFUSED)["Namespaces"]
    assert found.verdict is Verdict.BAD
    assert "Operation not permitted" in found.found
    assert cure in found.meaning


def test_refused_namespaces_in_a_container_point_to_its_profile() -> None:
    found = isolation(Surroundings(0, "Docker", {}), own_user=REFUSED)
    assert "container's profile" in found["Namespaces"].meaning
    assert found["Running as"].found == "root, in a container (Docker)"


@pytest.mark.parametrize(
    "facts, words",
    [
        ({"abi": 0, "held": False}, "not offered by this kernel"),
        ({"abi": 7, "held": False}, "a forbidden file could be read"),
    ],
)
def test_landlock_is_good_only_where_it_held(facts: dict[str, Any], words: str) -> None:
    found = isolation(landlock=facts)["Landlock"]
    assert found.verdict is Verdict.BAD
    assert words in found.found


def test_landlock_before_abi_4_leaves_tcp() -> None:
    assert "but not TCP" in isolation(landlock={"abi": 3, "held": True})["Landlock"].meaning
    assert "and TCP" in isolation(landlock={"abi": 4, "held": True})["Landlock"].meaning


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
    found = isolation(seccomp={**HELD["seccomp"], **change})["seccomp"]
    assert found.verdict is Verdict.BAD
    assert words in f"{found.found} {found.meaning}"


def test_control_groups_say_what_they_bound_or_why_they_can_not() -> None:
    found = isolation(cgroups={"entered": ["control group v1"], "refused": "v2: Read-only file system"})[
        "Control groups"
    ]
    assert (found.found, found.verdict) == ("usable (control group v1)", Verdict.GOOD)
    found = isolation(cgroups={"entered": [], "refused": "v2: Read-only file system"})["Control groups"]
    assert (found.found, found.verdict) == ("not ours to make (v2: Read-only file system)", Verdict.NOTE)
    assert isolation(cgroups={"entered": [], "refused": ""})["Control groups"].found == "none found"


# --- devices, instruction sets, runtimes ---


def test_devices_are_what_torch_found() -> None:
    found = by_name(device_findings({**TORCH, "cuda": ["NVIDIA H100, 78 GiB"], "built_for": "13.0"}))
    assert found["CUDA"].found == "NVIDIA H100, 78 GiB"
    assert by_name(device_findings({**TORCH, "built_for": "13.0"}))["CUDA"].found == (
        "torch is built for CUDA 13.0, but finds no GPU"
    )
    assert by_name(device_findings(TORCH))["CUDA"].found == "no: this torch is built without it"


def test_a_missing_simulated_device_gives_its_reason() -> None:
    found = by_name(device_findings({**TORCH, "simulated": "torch 3 has no such API"}))["Simulated device"]
    assert (found.verdict, found.found) == (Verdict.BAD, "torch 3 has no such API")


def test_without_torch_no_device_is_claimed() -> None:
    (found,) = device_findings({"error": "ImportError"})
    assert found.verdict is Verdict.UNKNOWN


AVX2 = frozenset({"avx2"})
VNNI = frozenset({"avx2", "avx512f", "avx512_vnni"})


def test_instruction_sets_are_told_apart() -> None:
    found = by_name(instruction_findings(frozenset({"avx2", "avx_vnni", "amx_int8"}), None))
    shown = {name: finding.found for name, finding in found.items() if name != "int8 products"}
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
    found = instruction_findings(flags, saturates)[-1]
    assert found.verdict is verdict
    assert words in f"{found.found} {found.meaning}"


def test_where_the_processor_does_not_tell_instruction_sets_are_unknown() -> None:
    first = instruction_findings(None, None)[0]
    assert (first.found, first.verdict) == ("unknown", Verdict.UNKNOWN)


def runtimes(onnx: dict[str, Any] = ONNX, installed: tuple[str, ...] = ("onnxruntime-gpu",)) -> dict[str, Finding]:
    imports = {
        "numpy": {"version": "2.4"},
        "transformers": {"broken": "no torchvision"},
        "onnx": {"missing": True},
        "safetensors": {"version": "0.8"},
        "jupyterlab": {"version": "4.6"},
        "nbgrader": {"missing": True},
    }
    return by_name(runtime_findings({"torch": TORCH, "imports": imports, "onnxruntime": onnx}, installed))


def test_packages_are_present_missing_or_broken() -> None:
    found = runtimes()
    assert found["numpy"].verdict is Verdict.GOOD
    assert (found["onnx"].verdict, found["onnx"].found) == (Verdict.BAD, "not installed")
    assert (found["nbgrader"].verdict, found["nbgrader"].found) == (Verdict.NOTE, "not installed")
    assert found["transformers"].found == "installed, but does not import: no torchvision"


def test_sessions_count_and_not_the_list_of_providers() -> None:
    offered = {**ONNX, "available": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
    found = runtimes(offered)["ONNX sessions"]
    assert (found.found, found.verdict) == ("run on CPU", Verdict.NOTE)
    assert found.meaning == "Listed as available, but taken by no session: CUDA."
    assert runtimes(ONNX)["ONNX sessions"].meaning == ""


def test_two_builds_of_onnxruntime_are_a_broken_installation() -> None:
    found = runtimes(installed=("onnxruntime", "onnxruntime-gpu"))["onnxruntime"]
    assert found.verdict is Verdict.BAD
    assert "pip uninstall onnxruntime onnxruntime-gpu" in found.meaning


# --- the probes themselves, on this machine ---


@linux
@pytest.mark.parametrize("name", ["own_user", "as_root", "landlock", "seccomp", "cgroups"])
def test_a_probe_of_isolation_ends_with_facts(name: str) -> None:
    facts = doctor._probe(name)
    assert "error" not in facts
    assert facts


@linux
def test_a_worker_is_started_to_see_whether_grading_is_possible() -> None:
    facts = doctor._probe("worker")
    assert facts.keys() == {"reached", "refused"}
    assert bool(facts["reached"]) is not bool(facts["refused"])


@linux
def test_landlock_held_exactly_where_the_kernel_has_it() -> None:
    facts = doctor._probe("landlock")
    assert facts["held"] is (facts["abi"] > 0)


@linux
def test_cgroup_probes_leave_no_group_behind() -> None:
    doctor._probe("cgroups")
    assert not list(Path("/sys/fs/cgroup").glob("**/ptqlab-doctor-*"))


def test_the_product_is_multiplied_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    honest = onnxruntime.InferenceSession.run
    assert trials.onnxruntime()["saturates"] in (True, False)
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", lambda self, *a: [honest(self, *a)[0] - 1])
    assert trials.onnxruntime()["saturates"] is True


def test_cuda_is_asked_in_another_process() -> None:
    """A CUDA context in the grader's process would break the workers that it forks."""
    program = "import sys; from autograder import doctor; doctor._probe('torch'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_probe_that_dies_is_an_error_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._probe("no such probe")["error"] == "KeyError: 'no such probe'"
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "the probe did not finish" in doctor._probe("imports")["error"]


def test_a_probe_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBE_S", 0.001)
    assert "the probe did not finish" in doctor._probe("imports")["error"]


def test_other_systems_are_told_less_and_no_isolation_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pretend(name: str) -> dict[str, Any]:
        asked.append(name)
        return {"error": "not run"}

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(doctor, "_probe", pretend)
    found = doctor.examine()
    assert sorted(asked) == ["imports", "onnxruntime", "torch"]
    assert len(found.isolation) == 1
    assert "Grading needs Linux." in found.isolation[0].meaning


def test_the_doctor_imports_where_there_is_no_linux() -> None:
    """Also on Windows: no fork, no resource, and no libc to load."""
    program = (
        "import os, sys, ctypes\n"
        "for name in ('fork', 'geteuid'): os.__dict__.pop(name, None)\n"
        "for name in ('resource', 'fcntl', 'pwd', 'pyseccomp'): sys.modules[name] = None\n"
        "ctypes.CDLL = None\n"
        "from autograder import doctor"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- on the page ---


def test_the_text_stays_within_80_columns_and_keeps_brackets() -> None:
    long = Finding("A name that is too long for it", "found " * 40, Verdict.BAD, "pip install 'ptqlab[grade]' " * 9)
    text = doctor.render(Findings((long,), (long,), (long,), (Finding("torch", "2.13", Verdict.GOOD),)))
    lines = str(text).splitlines()
    assert max(cell_len(line) for line in lines[2:]) <= 80
    assert str(text).count("ptqlab[grade]") == 27
    assert lines[0] == "Isolation"
    assert lines[-1] == "  ✓ torch               2.13"


def test_every_verdict_has_a_mark_of_its_own() -> None:
    found = tuple(Finding(str(verdict), "", verdict) for verdict in Verdict)
    lines = str(doctor.render(Findings(found, (), (), ()))).splitlines()[1:5]
    assert len({line.split()[0] for line in lines}) == 4
