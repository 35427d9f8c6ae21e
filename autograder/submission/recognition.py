"""What a file is, by its content: a notebook or a script, its code, and the labs that it may belong to."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from autograder.runtime.process_state import STATE
from autograder.submission import normal_form
from autograder.submission.cells import parse_notebook
from autograder.submission.notebook import AGAIN, Book, UnreadableError, plain, read_book, short
from autograder.submission.record import MOST_CODE, Look
from autograder.submission.slicing import slice_cells

MOST_FILE = 200_000_000  # bytes, outputs included: plots make notebooks large
_START = 4096  # bytes of a file that tell what it is
_DEFINED = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.M)
_WRITES = re.compile(r"^%%(?:writefile|file)[ \t]+(?:-a[ \t]+)?(\S+\.py)[ \t]*$", re.M)
_IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.M)
_MAGIC = {  # how a file begins -> its kind, and that in words
    b"PK\3\4": ("zip", "a zip archive"),
    b"PK\5\6": ("zip", "an empty zip archive"),
    b"%PDF": ("pdf", "a PDF"),
    b"Rar!": ("rar", "a RAR archive"),
    b"7z\xbc\xaf": ("7z", "a 7z archive"),
    b"\x1f\x8b": ("gzip", "a gzip archive"),
    b"\x89PNG": ("image", "an image"),
    b"\xff\xd8\xff": ("image", "an image"),
    b"\xd0\xcf\x11\xe0": ("office", "an Office document"),
    b"<!DO": ("html", "a web page"),
    b"<htm": ("html", "a web page"),
}


@dataclass(frozen=True)
class Lab:
    """An exercise as it was handed out, as far as reading compares a file with it."""

    slug: str
    functions: tuple[str, ...]  # every graded name
    ids: frozenset[str] = frozenset()  # of the cells of its notebooks
    stubs: frozenset[str] = frozenset()  # code_sha256 of its notebooks
    definitions: frozenset[str] = frozenset()  # the normal forms of what everybody has
    cells: frozenset[str] = frozenset()  # the code of each cell, without the space at its ends


@STATE.keep(16)
def lab_of(slug: str, functions: tuple[str, ...], folder: Path) -> Lab:
    """Read the notebooks of an exercise's folder, once a process."""
    books = [read_book(path.name, path.read_bytes()) for path in sorted(folder.glob("*.ipynb"))]
    ids = frozenset(cell.id for book in books for cell in book.cells if cell.id)
    stubs = frozenset(_sha256(_joined(book.code)) for book in books)
    definitions = frozenset(code for book in books for _, code in normal_form.definitions(book.code))
    cells = frozenset(text.strip() for book in books for text in book.code)
    for book in books:
        slice_cells(parse_notebook(book.code)[0], functions)  # what is found out of a cell that was handed out is kept
    return Lab(slug, functions, ids, stubs, definitions, cells)


def look(name: str, data: bytes | memoryview, labs: Sequence[Lab]) -> tuple[Look, list[str]]:
    """Return what a file is, by its content, and its code: a text for each code cell, or the one of a script."""
    start = bytes(data[:_START])
    kind, words = next((found for magic, found in _MAGIC.items() if start.startswith(magic)), ("", ""))
    try:
        if kind:
            came = f"{name} came, which is {words}"
            raise UnreadableError(f"Expected a notebook (.ipynb) or a script (.py), but {came}; hand in one of them.")
        if not start.strip() and not bytes(data).strip():
            kind = "empty"
            raise UnreadableError(f"{name} is empty ({len(data)} bytes); {AGAIN}")
        book = _book(name, data, start)
        if book is not None:
            kind = "notebook"
            return _look_at_code(name, book.code, labs, _look_at_book(book, labs)), book.code
        kind = "text"
        text = _script(name, data)
        return _look_at_code(name, [text], labs, Look(kind="script")), [text]
    except UnreadableError as error:
        return Look(kind=kind or "json", problem=short(str(error))), []


@contextlib.contextmanager
def opened(path: Path, capped: bool = True) -> Iterator[BufferedReader]:
    """Open a regular file; UnreadableError for links, pipes and devices, and for what is too large to be a notebook.

    An archive, whose content has caps of its own, is opened with `capped=False`.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):  # whichever the system knows
        flags |= getattr(os, name, 0)
    try:
        if path.is_symlink():
            raise UnreadableError(f"{path.name} is a symbolic link, which is not followed; hand in the file itself.")
        descriptor = os.open(path, flags)
    except OSError as error:
        raise UnreadableError(f"{path.name} cannot be read ({error.strerror}); hand it in again.") from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableError(f"{path.name} is not a file; hand in a notebook (.ipynb) or a script (.py).")
        if capped and about.st_size > MOST_FILE:
            raise too_large(path.name)
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def too_large(name: str) -> UnreadableError:
    """The refusal of a file with more outputs than anybody looks at."""
    return UnreadableError(f"{name} is larger than {MOST_FILE // 1_000_000} MB; clear its outputs, {AGAIN}")


def _book(name: str, data: bytes | memoryview, start: bytes) -> Book | None:
    """A notebook, recognised by its content or its suffix; None for what has to be a script."""
    suffix = Path(name).suffix.lower()
    if suffix != ".ipynb" and not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return None
    try:
        return read_book(name, data)
    except UnreadableError:
        if suffix == ".py":
            return None
        raise


def _script(name: str, data: bytes | memoryview) -> str:
    """The text of a script; UnreadableError for a text that defines nothing and is not called .py."""
    if len(data) > MOST_CODE + _START:
        raise _too_much_code(name, len(data))
    try:
        text = bytes(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cure = "save it as UTF-8 and hand it in again."
        raise UnreadableError(f"{name} is not UTF-8 (byte {error.start}); {cure}") from None
    if Path(name).suffix.lower() != ".py" and not _DEFINED.search(text):
        raise UnreadableError(f"Expected a notebook (.ipynb) or a script (.py), but {name} came; hand in one of them.")
    return text


def _too_much_code(name: str, size: int) -> UnreadableError:
    limit = f"at most {MOST_CODE:,} are graded; remove what no task needs."
    return UnreadableError(f"{name} holds {size:,} bytes of code, but {limit}")


def _look_at_book(book: Book, labs: Sequence[Lab]) -> Look:
    shared = Counter(name for lab in labs for name in lab.ids)
    own = {cell.id for cell in book.cells if shared[cell.id] == 1}  # an id that two labs have tells nothing
    ids = {lab.slug: len(found) for lab in labs if (found := lab.ids & own)}
    texts = "\n".join(cell.text for cell in book.cells if cell.kind != "code")[: 2 * MOST_CODE]
    defined = {one or other for one, other in _DEFINED.findall(texts)}
    graded = {name for lab in labs for name in lab.functions}
    return Look(
        kind="notebook",
        language=book.language,
        python=book.python,
        nbformat=book.nbformat,
        ids=ids,
        in_text=sorted(defined & graded)[:100],
    )


def _look_at_code(name: str, sources: Sequence[str], labs: Sequence[Lab], found: Look) -> Look:
    """Add what the code alone tells, without compiling it."""
    found.code_cells, found.code_bytes = len(sources), sum(len(source.encode("utf-8")) for source in sources)
    if found.code_bytes > MOST_CODE:
        raise _too_much_code(name, found.code_bytes)
    code = _joined(sources)
    bound = {one or other for one, other in _DEFINED.findall(code)}
    found.names = {lab.slug: names for lab in labs if (names := [name for name in lab.functions if name in bound])}
    found.code_sha256 = _sha256(code)
    found.stub_of = next((lab.slug for lab in labs if found.code_sha256 in lab.stubs), "")
    found.writes = _words(_WRITES.findall(code), 50)
    found.imports = _words(_IMPORTS.findall(code), 200)
    return found


def _words(found: Iterable[str], most: int) -> list[str]:
    return [plain(word) for word in dict.fromkeys(found)][:most]


def _joined(sources: Sequence[str]) -> str:
    """Code as it is compared: blank cells and the space at the ends of cells do not count."""
    return "\n\n".join(source.strip() for source in sources if source.strip())


def _sha256(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8")).hexdigest()
