"""A folder of submissions -> who handed in which file for which exercise."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.course.catalog import pick_exercise
from autograder.grading.choice import choose_notebook
from autograder.grading.people import file_name
from autograder.records import Exercise, PtqlabError
from autograder.sandbox import reading
from autograder.submission.record import Record

_EXPECTED = (
    "Expected one .ipynb or .py file, <student>/<exercise>.ipynb, <student>/<assignment>/<exercise>.ipynb"
    " or, with --exercise, a flat folder of <student>.ipynb"
)
_SUFFIXES = (".ipynb", ".py")
_OURS = re.compile(r"(test_.*|conftest)\.py")  # the kit's own files in an exercise's folder
_NEVER = ("__MACOSX", "__pycache__")


@dataclass(frozen=True)
class Found:
    """One student's file for one exercise; or `path` is None and `problem` says in a sentence why.

    `withheld`: there are files, and a person must say which one counts.
    """

    student: str
    exercise: str
    path: Path | None
    problem: str = ""
    withheld: bool = False

    @property
    def folder_name(self) -> str:
        """The student's name, made safe for a folder of reports."""
        return file_name(self.student)

    def read(self, exercise: Exercise, data: bytes | None = None) -> Record:
        """Read the file that was found, or its content; where there is none, the record's problem says why."""
        if self.path is None:
            return Record(name="", problem=self.problem)
        return reading.read(self.path, exercise, data)


@dataclass(frozen=True)
class _Folder:
    """One student's folder: the files that are named like an exercise, and why there may be none."""

    student: str
    files: tuple[tuple[str, Path], ...] = ()  # (slug, file)
    code: tuple[Path, ...] = ()  # all notebooks and scripts in it
    problem: str = ""


def find_submissions(root: Path, exercises: Sequence[Exercise], only: str | None = None) -> tuple[Found, ...]:
    """Return what lies under `root`, by student and then by exercise.

    Layouts: one file; `<student>/<exercise>.ipynb` or `.py`; `<student>/<assignment>/<exercise>.ipynb` as in
    nbgrader's `submitted/`; one such student's folder; a flat folder of `<student>.ipynb` when `only` is given,
    the slug or number of an exercise. Links are not followed, hidden entries not looked at. A student's folder
    without a file of the right name is found, with a problem. Raises PtqlabError when nothing is there or the
    layout cannot be told.
    """
    wanted = (pick_exercise(exercises, only),) if only else tuple(exercises)
    if not os.path.lexists(root):
        raise PtqlabError(f"{_EXPECTED}, but {root} does not exist; check the path.")
    if not root.is_dir():
        return (_single(root, wanted),)
    try:
        entries = _entries(root)
    except OSError as error:
        raise PtqlabError(f"{_EXPECTED}, but {root} cannot be read ({error.strerror}); check the path.") from None
    files = [path for path in entries if _is_code(path)]
    paths = [path for path in entries if _is_folder(path)]
    folders = [_read_folder(path, exercises) for path in paths]
    if not files and not folders:
        raise PtqlabError(f"{_EXPECTED}, but {root} holds none of these; check the path.")
    named = [path for path in files if _slug_of(path, exercises)]
    _refuse_mixture(root, files, named if only else [], folders)
    if named or _are_assignments(paths, exercises):
        return _rows([_read_folder(Path(os.path.abspath(root)), exercises)], wanted)
    return _flat(files, wanted) if files else _rows(folders, wanted)


def _refuse_mixture(root: Path, files: Sequence[Path], named: Sequence[Path], folders: Sequence[_Folder]) -> None:
    """Two layouts at once would leave somebody ungraded in silence."""
    cure = "keep the one layout that is meant."
    others = [path for path in files if path not in named]
    if named and others:
        raise PtqlabError(f"{_EXPECTED}, but {root} holds both {named[0].name} and {others[0].name}; {cure}")
    full = [folder for folder in folders if folder.code]
    if files and full:
        raise PtqlabError(f"{_EXPECTED}, but {root} holds both {files[0].name} and {full[0].student}/; {cure}")


def _single(path: Path, wanted: Sequence[Exercise]) -> Found:
    """One file. Named like an exercise, its student is the folder above, an assignment's folder skipped."""
    slug = _slug_of(path, wanted)
    if not slug and len(wanted) != 1:
        known = ", ".join(exercise.slug for exercise in wanted)
        raise PtqlabError(f"Expected a file named like an exercise ({known}), but {path.name} came; give --exercise.")
    if not slug:
        return Found(_readable(_stem(path)), wanted[0].slug, path)
    above = Path(os.path.abspath(path)).parent
    above = above.parent if above.name == slug else above
    return Found(_readable(above.name), slug, path)


def _flat(files: Sequence[Path], wanted: Sequence[Exercise]) -> tuple[Found, ...]:
    """`<student>.ipynb` beside each other: the names say nothing of the exercise."""
    if len(wanted) != 1:
        known = ", ".join(exercise.slug for exercise in wanted)
        raise PtqlabError(f"Expected --exercise with a flat folder of <student>.ipynb; give one of: {known}.")
    slug = wanted[0].slug
    students = dict.fromkeys(_stem(path) for path in files)
    folders = [
        _Folder(_readable(name), tuple((slug, path) for path in files if _stem(path) == name)) for name in students
    ]
    return _rows(folders, wanted)


def _read_folder(folder: Path, exercises: Sequence[Exercise]) -> _Folder:
    """One student's folder, and the assignments' folders in it."""
    student = _readable(folder.name)
    if folder.is_symlink():
        problem = f"{student} is a symbolic link, which is not followed; hand in the folder itself."
        return _Folder(student, problem=problem)
    try:
        code = _code_in(folder)
    except OSError as error:
        return _Folder(student, problem=f"The folder {student} cannot be read: {error.strerror}; mend its permissions.")
    files = tuple((slug, path) for path in code if (slug := _slug_of(path, exercises)))
    return _Folder(student, files, tuple(code))


def _rows(folders: Sequence[_Folder], wanted: Sequence[Exercise]) -> tuple[Found, ...]:
    """A row for each student and exercise; for who has no file, one for each exercise that the class has."""
    by_slug = {exercise.slug: exercise for exercise in wanted}
    present = [slug for slug in by_slug if any(slug == own for folder in folders for own, _ in folder.files)]
    if not present:
        known = ", ".join(by_slug)
        names = ", ".join(folder.student for folder in folders[:3])
        raise PtqlabError(f"Expected files named like an exercise ({known}), but none is in {names}; rename them.")
    rows: list[Found] = []
    for folder in sorted(folders, key=lambda item: item.student):
        own = [slug for slug in present if any(slug == other for other, _ in folder.files)]
        rows += [_choice(folder, by_slug[slug]) for slug in own]
        rows += [] if own else [_missing(folder, slug) for slug in present]
    return tuple(rows)


def _choice(folder: _Folder, exercise: Exercise) -> Found:
    """The one file of a student's that counts; several are compared with what was handed out."""
    paths = [path for slug, path in folder.files if slug == exercise.slug]
    chosen = choose_notebook(paths, exercise)
    if isinstance(chosen, str):
        return Found(folder.student, exercise.slug, None, chosen, withheld=True)
    return Found(folder.student, exercise.slug, chosen)


def _missing(folder: _Folder, slug: str) -> Found:
    """No file of the right name: say what came instead."""
    came = ", ".join(_readable(path.name) for path in folder.code[:3]) or "no notebook at all"
    problem = f"Expected {slug}.ipynb or {slug}.py, but {came} came; hand it in under that name."
    return Found(folder.student, slug, None, folder.problem or problem)


def _are_assignments(folders: Sequence[Path], exercises: Sequence[Exercise]) -> bool:
    """Whether these are one student's folders, named like exercises, and not the students of a class."""
    slugs = {exercise.slug for exercise in exercises}
    return bool(folders) and all(folder.name in slugs for folder in folders)


def _slug_of(path: Path, exercises: Sequence[Exercise]) -> str:
    """The exercise that a file is named like, whatever its case and language; "" when there is none."""
    stem = unicodedata.normalize("NFC", _stem(path)).casefold()
    return next((exercise.slug for exercise in exercises if exercise.slug.casefold() == stem), "")


def _stem(path: Path) -> str:
    """A file's name without .ipynb or .py and without its language."""
    return re.sub(r"\.zh-TW$", "", path.stem, flags=re.IGNORECASE)


def _readable(name: str) -> str:
    """A name verbatim, but for bytes that are no UTF-8: those are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _entries(folder: Path) -> list[Path]:
    """What lies in `folder` and is not hidden, by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in _NEVER)


def _code_in(folder: Path) -> list[Path]:
    """The notebooks and scripts in a student's folder and in the assignments' folders right below it."""
    entries = _entries(folder)
    below = [path for entry in entries if _is_folder(entry) and not entry.is_symlink() for path in _entries(entry)]
    return [path for path in (*entries, *below) if _is_code(path)]


def _is_code(path: Path) -> bool:
    """A notebook or a script, or a link or a pipe that is called one: reading it says what is wrong."""
    is_ours = _OURS.fullmatch(path.name)
    return path.suffix.lower() in _SUFFIXES and not is_ours and (path.is_symlink() or not path.is_dir())


def _is_folder(path: Path) -> bool:
    return path.is_dir() or (path.is_symlink() and not path.suffix)
