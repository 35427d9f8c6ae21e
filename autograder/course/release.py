"""What an author does: one source into two notebooks, the students' zip, a new exercise."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from autograder.course.notebooks import _read, build, notebooks, reference_notebook
from autograder.course.sources import leaks, reference_source, solution_statements, stub_source
from autograder.course.wheel import build_wheel
from autograder.records import PtqlabError

__all__ = [
    "build",
    "new",
    "notebooks",
    "reference_notebook",
    "reference_source",
    "release",
    "stub_source",
    "unfinished",
]

_LITTER = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".DS_Store", "experiments.jsonl"}
_SLUG = re.compile(r"([0-9]{2})_[a-z0-9_]+")
_TODO = "TODO"

# --- notebooks ----------------------------------------------------------------------------------


# --- the students' zip --------------------------------------------------------------------------


def release(out: Path, exercises: Path, solutions: Path) -> list[str]:
    """Write what students get; returns the names in it. The same files give the same bytes.

    A zip of exercises, datasets, START.md and the kit's wheel; or, where `out` ends in .whl, the kit with exercises and
    datasets in it, for `pip install` and `ptqlab start`. Stale notebooks, symbolic links, any statement of a reference
    answer in what would ship, and a wheel's name that pip would refuse are a PtqlabError, and nothing is written.
    """
    build(exercises, solutions, check=True)
    root = exercises.parent
    course = {path.relative_to(root).as_posix(): path.read_bytes() for path in _shipped(exercises, root / "datasets")}
    if out.suffix == ".whl":
        wheel, data = build_wheel(course)
        if out.name != wheel:
            raise PtqlabError(
                f"Expected the wheel to be called {wheel}, as pip wants it, but it is {out.name}; rename it."
            )
        _require_no_leak({wheel: data}, solutions)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data)
        return [wheel]
    wheel, data = build_wheel()
    contents = {**course, wheel: data, "START.md": _start(wheel).encode()}
    _require_no_leak(contents, solutions)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(_zip(contents))
    return sorted(contents)


def _shipped(*folders: Path) -> Iterator[Path]:
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.is_symlink():
            raise PtqlabError(f"{path} is a symbolic link; students get plain files. Put a copy there.")
        if path.is_file() and not _LITTER.intersection(path.parts):
            yield path


def _start(wheel: str) -> str:
    text = (resources.files("autograder.course") / "scaffold" / "START.md.in").read_text(encoding="utf-8")
    return Template(text).substitute(wheel=wheel, torch=metadata.version("torch").partition("+")[0])


def _require_no_leak(contents: Mapping[str, bytes], solutions: Path) -> None:
    secrets = frozenset[str]().union(*(solution_statements(path) for path in solutions.glob("*/source.py")))
    for name, text in _texts(contents):
        if found := leaks(text, secrets):
            raise PtqlabError(
                f"{name} holds a line of a reference answer ({found[0]}); nothing from solutions/ may reach "
                "students. Take the line out, then run `ptqlab release` again."
            )


def _texts(contents: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """(name, text) of everything readable, the inside of notebooks and wheels included."""
    for name, data in contents.items():
        if name.endswith(".whl"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from _texts({f"{name}/{inner}": archive.read(inner) for inner in archive.namelist()})
        elif name.endswith(".ipynb"):
            yield name, "\n".join("".join(cell["source"]) for cell in json.loads(data)["cells"])
        else:
            yield name, data.decode("utf-8", errors="replace")


def _zip(contents: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(f"ptqlab-course/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16  # readable for everyone once unpacked
            archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


# --- a new exercise -----------------------------------------------------------------------------


def new(slug: str, title: str, exercises: Path, solutions: Path) -> list[Path]:
    """Scaffold `slug` in both folders, notebooks included; returns the files. It is valid at once.

    What is left to write says TODO, and `unfinished` lists it. A bad or taken slug is a PtqlabError.
    """
    match = _SLUG.fullmatch(slug)
    if match is None:
        raise PtqlabError(f"expected a slug of two digits and a name, like 06_pruning; got {slug!r}.")
    if (exercises / slug).exists() or (solutions / slug).exists():
        raise PtqlabError(f"the exercise {slug} is there already. Choose another slug, or edit that one.")
    task = f"{int(match[1])}.1"
    words = {"slug": slug, "title": json.dumps(title, ensure_ascii=False), "heading": title, "task": task}
    scaffold = resources.files("autograder.course") / "scaffold"
    written = [*_fill(scaffold / "exercise", exercises / slug, words)]
    written += _fill(scaffold / "solution", solutions / slug, words)
    for path, text in notebooks(solutions / slug / "source.py", exercises / slug).items():
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def unfinished(exercises: Path, solutions: Path) -> list[str]:
    """Where the scaffold's TODOs still stand, as `solutions/06_pruning/design.md:3: TODO …`."""
    found = []
    for folder in (exercises, solutions):
        for path in sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".toml", ".md"}):
            lines = enumerate(_read(path).splitlines(), start=1)
            name = path.relative_to(folder.parent).as_posix()
            found += [f"{name}:{number}: {line.strip()}" for number, line in lines if _TODO in line]
    return found


def _fill(template: Traversable, target: Path, words: Mapping[str, str]) -> Iterator[Path]:
    target.mkdir(parents=True)
    for item in sorted(template.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _fill(item, target / item.name, words)
            continue
        path = target / item.name.removesuffix(".in")
        text = Template(item.read_text(encoding="utf-8")).substitute(words)
        path.write_text(text, encoding="utf-8", newline="\n")
        yield path
