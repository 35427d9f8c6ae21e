"""Python files that a notebook writes and imports: `%%writefile helper.py`, then `import helper`."""

from __future__ import annotations

import linecache
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_ROOTS = re.compile(r"(\./|/content/|/kaggle/working/)+")  # the folder that a notebook works in, by its other names


def plain_path(file: str) -> str:
    """Return a file's path as seen from the folder that a notebook works in: "utils.py" for "/content/utils.py"."""
    return _ROOTS.sub("", file, count=1) if _ROOTS.match(file) else file


def module_of(file: str) -> str:
    """Return a helper file's dotted name, "utils.rounding" for "./utils/rounding.py"; "" when it can't be imported."""
    path = plain_path(file)
    parts = path.removesuffix(".py").split("/")
    if not path.endswith(".py") or not all(part.isidentifier() for part in parts):
        return ""
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files_of(module: str, files: Sequence[str]) -> list[str]:
    """Return those of the helper `files` that importing `module` may need: all with its first name in their path."""
    first = module.partition(".")[0]
    return [file for file in files if first in module_of(file).split(".")]


def remember_source(filename: str, source: str) -> None:
    """Show inspect and tracebacks the source of what was compiled under this name."""
    lines = [f"{line}\n" for line in source.split("\n")]  # not splitlines: a form feed ends no line of Python
    linecache.cache[filename] = (len(source), None, lines, filename)


class HelperFinder(MetaPathFinder, Loader):
    """Imports helpers from their sources. It is asked last, so that none shadows the kit or an installed package."""

    def __init__(self, helpers: Mapping[str, str]) -> None:
        self._files = {module_of(file): file for file in helpers if module_of(file)}
        self._sources = dict(helpers)

    def install(self) -> None:
        """Take the place of the finder of an earlier submission, and forget what that one imported."""
        earlier = [finder for finder in sys.meta_path if isinstance(finder, HelperFinder)]
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in earlier]
        for name, module in list(sys.modules.items()):
            if getattr(getattr(module, "__spec__", None), "loader", None) in earlier:
                del sys.modules[name]
        if self._files:
            sys.meta_path.append(self)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find a helper by its name, from the folder that the notebook works in or from one below (`sys.path`)."""
        dotted = next((name for name in self._files if f".{name}".endswith(f".{fullname}")), None)
        is_folder = any(f".{fullname}." in f".{name}." for name in self._files)
        if dotted is None and not is_folder:
            return None
        file = self._files.get(dotted or "", "")
        is_package = not file or file.endswith("__init__.py")
        return ModuleSpec(fullname, self, origin=f"<{file}>", is_package=is_package, loader_state=file)

    def exec_module(self, module: ModuleType) -> None:
        """Run a helper's source; a folder without `__init__.py` is an empty package."""
        spec = module.__spec__
        file = spec.loader_state if spec else ""
        source = self._sources.get(file, "")
        module.__file__ = f"<{file}>"
        remember_source(module.__file__, source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, module.__file__, "exec", dont_inherit=True)
        exec(code, module.__dict__)
