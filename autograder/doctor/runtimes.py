"""From facts to findings: Python and the packages, each as imported, not as declared."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from autograder.doctor.findings import Facts, Finding, Verdict, unknown

_PURPOSE = {
    "numpy": "",
    "transformers": "",
    "onnx": "",
    "safetensors": "",
    "jupyterlab": "Needed to work in the notebooks: pip install 'ptqlab[lab]'.",
    "nbgrader": "Needed only for an nbgrader course: pip install 'ptqlab[peers]'.",
}


def runtime_findings(facts: Mapping[str, Facts], onnxruntimes: tuple[str, ...]) -> tuple[Finding, ...]:
    """Python and the packages, each as imported, not as declared."""
    python = Finding("Python", f"{platform.python_version()} on {platform.platform()}", Verdict.GOOD)
    torch = facts["torch"]
    known = unknown("torch", torch) if "error" in torch else Finding("torch", torch["version"], Verdict.GOOD)
    if "error" in facts["imports"]:
        others = [unknown("other packages", facts["imports"])]
    else:
        others = [_package(name, facts["imports"].get(name, {})) for name in _PURPOSE]
    return (python, known, *others, *_onnxruntime(facts["onnxruntime"], onnxruntimes))


def _package(name: str, facts: Facts) -> Finding:
    if "version" in facts:
        return Finding(name, facts["version"], Verdict.GOOD)
    if "broken" in facts:
        return Finding(
            name,
            f"installed, but does not import: {facts['broken']}",
            Verdict.BAD,
            f"Try pip install --force-reinstall {name}.",
        )
    optional = _PURPOSE[name]
    return Finding(
        name,
        "not installed",
        Verdict.NOTE if optional else Verdict.BAD,
        optional or "pip install ptqlab brings it.",
    )


def installed_onnxruntimes() -> tuple[str, ...]:
    """The distributions that bring a package `onnxruntime`; more than one is a broken installation."""
    names = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
    return tuple(name for name in names if _is_installed(name))


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _onnxruntime(facts: Facts, installed: tuple[str, ...]) -> list[Finding]:
    name = " and ".join(installed) or "onnxruntime"
    if len(installed) > 1:
        meaning = f"They overwrite each other: pip uninstall {' '.join(installed)}, then install one again."
        return [Finding("onnxruntime", f"{name} are both installed", Verdict.BAD, meaning)]
    if "error" in facts:
        return [unknown("onnxruntime", facts)]
    return [Finding(name, facts["version"], Verdict.GOOD), _sessions(facts)]


def _sessions(facts: Facts) -> Finding:
    """The providers that a session took; those available include some whose libraries are missing."""
    short = {name: name.removesuffix("ExecutionProvider") for name in facts["available"]}
    idle = [short[name] for name in facts["available"] if name not in facts["taken"]]
    taken = [short[name] for name in facts["taken"]]
    meaning = f"Listed as available, but taken by no session: {', '.join(idle)}." if idle else ""
    verdict = Verdict.GOOD if "CUDA" in taken else Verdict.NOTE
    return Finding("ONNX sessions", f"run on {', '.join(taken)}", verdict, meaning)
