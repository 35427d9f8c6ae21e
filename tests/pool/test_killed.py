"""`kill -9` of any process of `ptqlab grade`, at any moment: the same command again, and nobody's score is another.

Each trial draws its moment from a seed that a failure prints; PTQLAB_KILL_SEED gives it again, as far as a clock can.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import demo, watched

VICTIMS = ("worker", "zygote", "grading process", "fork server", "command")
TRIALS = 10  # of each victim
SEED = int(os.environ.get("PTQLAB_KILL_SEED", "0")) or secrets.randbelow(2**32)
OPTIONS = ("--seed", 20261123, "--jobs", 2)
# a crash of the student's own must stay one, beside those that come from outside
CLASS = {
    "perfect": demo.reference,
    "exits": demo.replaced("compute_kl_div", "import os; os._exit(0)"),
    "accumulates": demo.mistake("quantizer_accumulates"),
    "loops": demo.mistake("symmetric_element_loop"),
    "untouched": demo.untouched,
}


@dataclass
class Seen:
    """When a process of each role was first and last seen, in seconds."""

    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)

    def look(self, found: list[watched.Process]) -> None:
        now = time.monotonic()
        for process in found:
            self.first.setdefault(process.role, now)
            self.last[process.role] = now

    def span(self, role: str) -> float:
        return self.last[role] - self.first[role]


@dataclass(frozen=True)
class Undisturbed:
    """A class, what it gets when nobody is killed, and how long there is somebody to kill."""

    handed: Path
    reports: dict[str, Any]
    scores: bytes
    seen: Seen


@dataclass
class Place:
    """Where one trial writes: its grades, and a folder of its own for temporary files."""

    out: Path
    temporary: Path
    before: set[int]

    def is_clean(self) -> None:
        """No process of the command's is left, no temporary file, and no control group."""
        assert watched.left_behind(self.before) == []
        assert watched.groups_left() == []
        assert os.listdir(self.temporary) == []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path / "out") as made:
        yield made


def new_place(out: Path) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def made() -> Iterator[Place]:
        with tempfile.TemporaryDirectory(dir="/tmp") as temporary, watched.adopting():
            os.chmod(temporary, 0o711)  # a worker's own user must reach its scratch
            yield Place(out, Path(temporary), watched.below(os.getpid()))

    return made()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("class")
    handed = folder / "in"
    handed.mkdir()
    for name, cells in CLASS.items():
        (handed / f"{name}.ipynb").write_text(demo.notebook(cells()), encoding="utf-8")
    seen = Seen()
    with new_place(folder / "out") as place:
        command = watched.grade(handed, place.out, place.temporary, *OPTIONS)
        while command.poll() is None:
            seen.look(watched.processes(command.pid))
            time.sleep(0.005)
        assert command.wait() == 0, command.communicate()[0]
        place.is_clean()
    found = watched.results(folder / "out")
    assert len(found) == len(CLASS)
    return Undisturbed(handed, found, (folder / "out" / "scores.csv").read_bytes(), seen)


def kill_one(command: Any, role: str, when: random.Random, undisturbed: Undisturbed, out: Path) -> bool:
    """Kill a process of this role at a moment of the time in which there are any; whether there still was one."""
    moment = when.uniform(0.0, undisturbed.seen.span(role))
    appeared = None
    while command.poll() is None:
        watched.results(out)  # what is there is whole, at any time
        victims = [process.pid for process in watched.processes(command.pid) if process.role == role]
        appeared = appeared or (time.monotonic() if victims else None)
        if victims and appeared is not None and time.monotonic() - appeared >= moment:
            with contextlib.suppress(ProcessLookupError):  # it ended in the meantime: another one is killed
                os.kill(when.choice(victims), signal.SIGKILL)
                return True
        time.sleep(0.002)
    return False


def is_withheld(report: dict[str, Any]) -> bool:
    return report["status"] == "withheld" and report["earned"] is None


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("number", range(TRIALS))
def test_whoever_is_killed_a_rerun_gives_the_undisturbed_scores(
    victim: str, number: int, undisturbed: Undisturbed, place: Place
) -> None:
    """And before it nothing is stored as a score that is not the right one: it is missing, or withheld."""
    when = random.Random(f"{SEED} {victim} {number}")
    print(f"PTQLAB_KILL_SEED={SEED}")
    hit = False
    for attempt in range(10):  # a moment after the last of them: another is drawn
        place.out = place.out.with_name(f"out-{attempt}")
        command = watched.grade(undisturbed.handed, place.out, place.temporary, *OPTIONS)
        hit = kill_one(command, victim, when, undisturbed, place.out)
        said, _ = command.communicate(timeout=600)
        place.is_clean()
        if hit:
            break
    assert hit, f"no {victim} was found in ten runs"
    stored = watched.results(place.out)
    wrong = {name for name, report in stored.items() if report != undisturbed.reports[name] and not is_withheld(report)}
    print(
        f"{victim}: exit code {command.returncode}, {len(stored)} reports, "
        f"{sum(map(is_withheld, stored.values()))} withheld, not the undisturbed ones: {sorted(wrong)}"
    )
    assert wrong == set(), said
    assert "Traceback" not in said
    assert command.returncode in ((-signal.SIGKILL,) if victim == "command" else (0, 1, 2)), said
    if command.returncode == 0:
        assert stored == undisturbed.reports

    again = watched.grade(undisturbed.handed, place.out, place.temporary, *OPTIONS)
    said, _ = again.communicate(timeout=600)
    assert again.returncode == 0, said
    assert watched.results(place.out) == undisturbed.reports
    assert (place.out / "scores.csv").read_bytes() == undisturbed.scores
    assert watched.unexpected(place.out) == []
    place.is_clean()


def test_when_all_are_killed_at_once_the_rerun_removes_what_they_left(undisturbed: Undisturbed, place: Place) -> None:
    """As a batch system does when the time is up: nobody is left who could."""
    command = watched.grade(undisturbed.handed, place.out, place.temporary, *OPTIONS)
    while not any(process.role == "worker" for process in watched.processes(command.pid)):
        assert command.poll() is None, "a worker was never seen"
        time.sleep(0.002)
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):  # none sees another one end
        for pid in [command.pid, *(process.pid for process in watched.processes(command.pid))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
    command.communicate(timeout=600)
    assert watched.left_behind(place.before) == []
    assert os.listdir(place.temporary) != [], "nothing was left, so this shows nothing"

    again = watched.grade(undisturbed.handed, place.out, place.temporary, *OPTIONS)
    said, _ = again.communicate(timeout=600)
    assert again.returncode == 0, said
    assert watched.results(place.out) == undisturbed.reports
    place.is_clean()
