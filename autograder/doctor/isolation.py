"""From facts to findings: what keeps student code in, and whether grading can rely on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.doctor.findings import Facts, Finding, Verdict, unknown


@dataclass(frozen=True)
class Surroundings:
    """Who runs this, and in what: `settings` are the kernel's own about user namespaces, where they stand."""

    uid: int
    container: str
    settings: Mapping[str, str]


_USER_NAMESPACE_SETTINGS = {  # file below /proc/sys: the value that forbids, and what lifts it
    "kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
}


def surroundings() -> Surroundings:
    """This process's user, container and kernel settings. Linux only."""
    signs = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman", "/run/systemd/container": "systemd"}
    by_systemd = os.environ.get("container", "")  # noqa: SIM112 - that is how systemd spells it
    container = next((name for path, name in signs.items() if Path(path).exists()), by_systemd)
    settings = {name: Path("/proc/sys", name) for name in _USER_NAMESPACE_SETTINGS}
    return Surroundings(
        uid=os.geteuid(),
        container=container,
        settings={name: path.read_text().strip() for name, path in settings.items() if path.exists()},
    )


def not_linux() -> Finding:
    """What is said of isolation on macOS and Windows."""
    return Finding(
        "Grading",
        f"not on {platform.system() or 'this system'}",
        Verdict.NOTE,
        "Grading needs Linux. Checking your own work works here: `ptqlab check`, and check() in a notebook.",
    )


def isolation_findings(facts: Mapping[str, Facts], around: Surroundings) -> tuple[Finding, ...]:
    """Whether grading holds its isolation floor here, and which layer does what."""
    return (
        _grading(facts["worker"]),
        _who(around),
        _namespaces(facts, around),
        _landlock(facts["landlock"]),
        _seccomp(facts["seccomp"]),
        _cgroups(facts["cgroups"]),
    )


def _grading(facts: Facts) -> Finding:
    if "error" in facts:
        return unknown("Grading", facts, "A worker could not be started to try it.")
    if facts["refused"]:
        return Finding("Grading", "refused on this machine", Verdict.BAD, facts["refused"])
    meaning = (
        "A worker was started, and tried to reach the network, other files, processes and programs: all was "
        "refused. Submissions can be graded here."
    )
    return Finding("Grading", f"ready ({facts['reached']})", Verdict.GOOD, meaning)


def _who(around: Surroundings) -> Finding:
    who = "root" if around.uid == 0 else f"an ordinary user (uid {around.uid})"
    where = f", in a container ({around.container})" if around.container else ", not in a container"
    ability = "can be given a user of its own" if around.uid == 0 else "runs as you, without capabilities"
    return Finding("Running as", who + where, Verdict.NOTE, f"A worker {ability}.")


def _namespaces(facts: Mapping[str, Facts], around: Surroundings) -> Finding:
    ways = {"as_root": "as root", "own_user": "through a user namespace"}
    usable = [words for name, words in ways.items() if facts[name].get("refused") == ""]
    if usable:
        meaning = "A worker sees a root of its own without your files, and no network."
        return Finding("Namespaces", f"usable {' and '.join(usable)}", Verdict.GOOD, meaning)
    if "error" in facts["own_user"]:
        return unknown("Namespaces", facts["own_user"])
    forbidding = (
        f"{name.replace('/', '.')} is {value}: `{cure}` (as root) allows them"
        for name, (value, cure) in _USER_NAMESPACE_SETTINGS.items()
        if around.settings.get(name) == value
    )
    inside = "A container's profile often forbids them." if around.container else "The kernel gives no reason."
    cure = next(forbidding, inside)
    meaning = f"Landlock and seccomp must hold alone. {cure[0].upper()}{cure[1:]}"
    return Finding("Namespaces", f"refused ({facts['own_user']['refused']})", Verdict.BAD, meaning)


def _landlock(facts: Facts) -> Finding:
    if "error" in facts:
        return unknown("Landlock", facts)
    if not facts["abi"]:
        meaning = "Linux 5.13 and newer has it, where the boot option `lsm=` does not leave it out."
        return Finding("Landlock", "not offered by this kernel", Verdict.BAD, meaning)
    if not facts["held"]:
        return Finding("Landlock", f"ABI {facts['abi']}, but a forbidden file could be read", Verdict.BAD)
    ports = "and TCP ports" if facts["abi"] >= 4 else "but not TCP ports (ABI 4 and newer does)"
    return Finding("Landlock", f"ABI {facts['abi']}", Verdict.GOOD, f"It shuts a worker's files {ports}.")


def _seccomp(facts: Facts) -> Finding:
    if "error" in facts:
        return unknown("seccomp", facts)
    if not facts["kernel"]:
        return Finding("seccomp", "not offered by this kernel", Verdict.BAD, "Grading needs it.")
    missing = []
    if not facts["library"]:
        missing.append("libseccomp (apt-get install libseccomp2, dnf install libseccomp, or apk add libseccomp)")
    if not facts["package"]:
        missing.append("pyseccomp (pip install 'ptqlab[grade]')")
    if missing:
        return Finding(
            "seccomp",
            "the kernel offers it; a library is missing",
            Verdict.BAD,
            f"Install {' and '.join(missing)}.",
        )
    if not facts["held"]:
        return Finding("seccomp", "a filter was installed, but a forbidden call went through", Verdict.BAD)
    return Finding(
        "seccomp",
        "usable, libseccomp is here",
        Verdict.GOOD,
        "A worker may make only the listed system calls.",
    )


def _cgroups(facts: Facts) -> Finding:
    if "error" in facts:
        return unknown("Control groups", facts)
    limits = "Resource limits bound each worker alone."
    if facts["entered"]:
        held = "Memory and processes of a worker are counted together, root's too."
        return Finding("Control groups", f"usable ({', '.join(facts['entered'])})", Verdict.GOOD, held)
    if facts["refused"]:
        return Finding("Control groups", f"not ours to make ({facts['refused']})", Verdict.NOTE, limits)
    return Finding("Control groups", "none found", Verdict.NOTE, limits)
