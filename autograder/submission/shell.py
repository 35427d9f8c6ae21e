"""What a notebook's code finds beside Python's own names, where there is no notebook: `display` and `get_ipython()`."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any


def notebook_names(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return the names that a kernel gives a notebook with this namespace; they do nothing."""
    shell = ZMQInteractiveShell(namespace)
    return {"display": lambda *_, **__: None, "get_ipython": lambda: shell}


class Lines(list[str]):
    """The output of a shell command, which was not run: IPython's list of lines, empty."""

    n = s = ""


class ZMQInteractiveShell:
    """An inert stand-in for IPython's shell, under the class name by which code recognises a notebook.

    Every attribute that it doesn't have is itself, and calling it does nothing.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace
        self.config: dict[str, Any] = {"IPKernelApp": {}}

    def run_line_magic(self, name: str, line: str = "", *_: Any) -> Any:
        """Return an environment variable, the working folder, or measured times of zero; of other magics nothing."""
        if name == "env":
            return os.environ.get(line.strip()) if line.strip() else dict(os.environ)
        if name == "timeit":
            return SimpleNamespace(average=0.0, best=0.0, worst=0.0, stdev=0.0, timings=[], all_runs=[])
        return os.getcwd() if name == "pwd" else Lines() if name in ("sx", "system") else None

    def getoutput(self, *_: Any, **__: Any) -> Lines:
        """Return no lines: no other program is run."""
        return Lines()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> None:
        """Do nothing."""
