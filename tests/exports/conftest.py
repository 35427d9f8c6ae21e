"""The students of the tiny course's class, and nbgrader's own commands to take them through."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from support import tiny_course
from support.tiny_course import SLUG, UNTOUCHED, write

BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def kit() -> ModuleType:
    """What the class hands in, and the secrets."""
    return tiny_course


@dataclass
class Nbgrader:
    """An nbgrader folder made by `ptqlab nbgrader init`, and nbgrader's own commands run in it."""

    root: Path
    exercises: Path
    environment: Mapping[str, str]
    slug: str = SLUG
    exchange: Path = field(init=False)

    def __post_init__(self) -> None:
        self.exchange = self.root.parent / "exchange"
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        self.ptqlab("nbgrader", "init", self.root, "--course", self.exercises)

    def configure(self, *lines: str) -> None:
        with (self.root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
            file.write("\n".join((f"c.Exchange.root = {str(self.exchange)!r}", *lines)) + "\n")

    def __call__(self, *arguments: object, cwd: Path | None = None, code: int = 0, **variables: str) -> str:
        """Run one of nbgrader's commands; what it wrote."""
        command = [str(BIN / "nbgrader"), *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            capture_output=True,
            text=True,
            timeout=600,
            env={**self.environment, **variables},
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def ptqlab(self, *arguments: object, code: int = 0) -> str:
        command = [str(BIN / "ptqlab"), *map(str, arguments)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=600, env=dict(self.environment))
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def answered(self, *answers: str) -> nbformat.NotebookNode:
        """The released notebook with these texts in its answer cells."""
        book = nbformat.read(self.root / "release" / self.slug / f"{self.slug}.ipynb", as_version=4)
        cells = [cell for cell in book.cells if cell.metadata.get("nbgrader", {}).get("solution")]
        for cell, answer in zip(cells, answers, strict=False):
            cell.source = cell.source if answer == UNTOUCHED else answer
        return book

    def submitted(self, student: str) -> Path:
        return self.root / "submitted" / student / self.slug / f"{self.slug}.ipynb"

    def hand_in(self, student: str, book: nbformat.NotebookNode | str) -> None:
        """Put a submission where `nbgrader collect` would."""
        write(self.submitted(student), book if isinstance(book, str) else nbformat.writes(book))

    def send(self, student: str, book: nbformat.NotebookNode, timestamp: str) -> None:
        """Put a submission into the exchange's inbound folder, as `nbgrader submit` does."""
        inbound = self.exchange / self.root.name / "inbound" / f"{student}+{self.slug}+{timestamp}+abc"
        write(inbound / f"{self.slug}.ipynb", nbformat.writes(book))
        write(inbound / "timestamp.txt", timestamp)

    def download(self, books: Mapping[str, nbformat.NotebookNode]) -> None:
        """Put a zip as Canvas gives it out where `nbgrader zip_collect` looks for it."""
        archive = self.root / "downloaded" / self.slug / "archive" / "submissions.zip"
        archive.parent.mkdir(parents=True)
        with zipfile.ZipFile(archive, "w") as file:
            for student, book in books.items():
                file.writestr(f"{student.replace('_', '-')}_1234_77_{self.slug}.ipynb", nbformat.writes(book))

    def gradebook(self, read: Callable[[Any], Any], url: str = "") -> Any:
        """What `read` makes of the open gradebook."""
        from nbgrader.api import Gradebook

        with Gradebook(url or f"sqlite:///{self.root}/gradebook.db", course_id=self.root.name) as book:
            return read(book)

    def scores(self, url: str = "") -> dict[str, dict[str, float | None]]:
        """student -> {cell's id: the automatic score} of the gradebook."""
        return self.gradebook(
            lambda book: {
                submission.student.id: {grade.name: grade.auto_score for grade in submission.notebooks[0].grades}
                for submission in book.assignment_submissions(self.slug)
            },
            url,
        )  # type: ignore[no-any-return]

    def regraded(self, jobs: int = 1, url: str = "") -> dict[str, dict[str, float | None]]:
        """student -> {cell's id: points} as `ptqlab grade` finds them, run anew with the assignment's seed."""
        seed = json.loads((self.root / "grades" / "assignment.json").read_text(encoding="utf-8"))["seed"]
        out = self.root.parent / "again"
        withheld = any(None in scores.values() for scores in self.scores(url).values())
        self.ptqlab(
            "grade",
            self.root / "submitted",
            "--out",
            out,
            "--seed",
            seed,
            "--course",
            self.exercises,
            "--jobs",
            jobs,
            code=1 if withheld else 0,
        )
        with (out / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        tasks = [name for name in rows[0] if "." in name]
        return {
            row["student"]: {f"task-{t.replace('.', '-')}": float(row[t]) if row[t] else None for t in tasks}
            for row in rows
        }


@pytest.fixture(scope="session")
def nbgrader_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing of the user's own settings; and one slow import that nbgrader can do without."""
    home = tmp_path_factory.mktemp("home")
    # jsonschema builds a grammar of four seconds for a format that no notebook uses
    write(home / "quick" / "sitecustomize.py", "import sys\nsys.modules['rfc3987_syntax'] = None\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTEST", "PTQLAB"))}
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # nbgrader calls alembic
    return kept | {"HOME": str(home), "PATH": path, "PYTHONPATH": str(home / "quick"), "COLUMNS": "200"}


@pytest.fixture(scope="session")
def make_course(
    tiny: Path, nbgrader_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Nbgrader]:
    """Makes nbgrader folders of the tiny exercise, or of another clone's exercises."""

    def make(name: str, exercises: Path = tiny, slug: str = SLUG) -> Nbgrader:
        return Nbgrader(tmp_path_factory.mktemp(name) / name, exercises, nbgrader_environment, slug)

    return make


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of an empty database on a PostgreSQL server of our own, without a network port."""
    missing = [name for name in ("initdb", "pg_ctl", "createdb") if not postgres(name)]
    if missing or importlib.util.find_spec("psycopg") is None:
        needed = f"PostgreSQL ({', '.join(missing)})" if missing else "the package psycopg"
        pytest.skip(
            f"{needed} is not installed; `apt-get install postgresql` and `pip install 'psycopg[binary]'` bring it"
        )
    folder = Path(tempfile.mkdtemp(prefix="ptqlab-pg-", dir="/tmp"))  # pytest's own folders are closed to other users
    other = {"user": "nobody"} if os.getuid() == 0 else {}  # PostgreSQL refuses to run as root
    if other:
        shutil.chown(folder, "nobody")

    def run(name: str, *arguments: str) -> None:
        done = subprocess.run(
            [postgres(name), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            **other,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("initdb", "--pgdata", "data", "--username", "grader", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "start", "--wait", "--pgdata", "data", "--log", "log", "--options", options)
    try:
        run("createdb", "--host", str(folder), "--username", "grader", "gradebook")
        yield f"postgresql+psycopg://grader@/gradebook?host={folder}"
    finally:
        run("pg_ctl", "stop", "--wait", "--pgdata", "data", "--mode", "immediate")
        shutil.rmtree(folder)


def postgres(name: str) -> str:
    """The path of one of PostgreSQL's programs, or nothing; Debian keeps most of them off the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(places[-1]) if places else shutil.which(name) or ""
