"""Which of a person's several files for one lab counts, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.grading.seen import Looker, Seen
from autograder.grading.tree import Entry
from autograder.records import Exercise
from autograder.sandbox import reading
from autograder.submission.labs_of import ENOUGH_IDS

AS_HANDED_OUT, SAME_CODE, EARLIER = "as handed out", "same code as", "earlier attempt"
UNREADABLE, IGNORED = "unreadable", "ignored"


@dataclass(frozen=True)
class Choice:
    """The file that counts; or `rivals`, of which nobody can tell. `others`: what became of the rest, and why.

    `note`: what the student is told of the choice.
    """

    chosen: Seen | None
    rivals: tuple[Seen, ...] = ()
    others: Mapping[Entry, tuple[str, str]] = field(default_factory=dict)
    note: str = ""

    @property
    def problem(self) -> str:
        """One sentence that names the rivals."""
        names = " and ".join(map(_shown, self.rivals))
        return f"Expected one file that differs from what was handed out, but {names} do; keep the one that counts."


def choose_notebook(paths: Sequence[Path], exercise: Exercise) -> Path | str:
    """Return the one of a submission's files that counts, or a sentence on why that cannot be told."""
    if len(paths) == 1:
        return paths[0]
    files = Looker([exercise]).see(Entry((path.parent.name, path.name), path) for path in paths)
    choice = choose(files, {}, exercise)
    return choice.chosen.entry.path or paths[0] if choice.chosen else choice.problem


def choose(files: Sequence[Seen], attempts: Mapping[Entry, str | None], exercise: Exercise) -> Choice:
    """Return which of these files for one lab counts. `attempts`: the time of each, as people.Owner has it.

    Files count in this order: what the lab's content tells before what only its name does; the last attempt; what is
    changed; what lies outside of archives; one of several with the same code; a notebook before the script made of it.
    """
    others: dict[Entry, tuple[str, str]] = {}
    left = _last_attempt(_of_the_lab(_there(files, others), exercise, others), attempts, others)
    times = {attempts.get(seen.entry) for seen in files}
    is_late_one = len(times) > 1 and len(left) < len(files)
    note = f"Of {len(times)} attempts the last counts, of {attempts.get(left[0].entry)}." if is_late_one else ""
    left = _changed(left, others)
    depth = min(seen.archives for seen in left)
    others |= {seen.entry: (IGNORED, "lies in an archive beside it") for seen in left if seen.archives > depth}
    left = [seen for seen in left if seen.archives == depth]
    left = _without_copies(left, others)
    if len(left) > 1:
        left = _by_functions(left, exercise, others)
    if len(left) > 1:
        return Choice(None, tuple(left), others)
    return Choice(left[0], others=others, note=note)


def _there(files: Sequence[Seen], others: dict[Entry, tuple[str, str]]) -> list[Seen]:
    """Leave out what did not come out of an archive, where something did."""
    there = [seen for seen in files if seen.entry.path is not None]
    if there:
        others |= {seen.entry: (UNREADABLE, seen.problem) for seen in files if seen.entry.path is None}
    return there or list(files)


def _of_the_lab(files: list[Seen], exercise: Exercise, others: dict[Entry, tuple[str, str]]) -> list[Seen]:
    """Leave out what holds little of the lab, and can be read, where others hold most of it: helpers, drafts, notes."""
    parts = {seen.entry: len(seen.look.names.get(exercise.slug, ())) for seen in files}
    whole = [seen for seen in files if 2 * parts[seen.entry] >= len(exercise.functions) or _has_cells(seen, exercise)]
    kept = whole or [seen for seen in files if seen.belongs.by_content] or files
    for seen in files:
        if seen not in kept and not seen.problem:
            count = f"{parts[seen.entry]} of the {len(exercise.functions)} graded names"
            others[seen.entry] = IGNORED, f"binds {count if parts[seen.entry] else 'no graded name'}"
    return [seen for seen in files if seen.entry not in others]


def _has_cells(seen: Seen, exercise: Exercise) -> bool:
    return seen.look.ids.get(exercise.slug, 0) >= ENOUGH_IDS


def _last_attempt(
    files: list[Seen], attempts: Mapping[Entry, str | None], others: dict[Entry, tuple[str, str]]
) -> list[Seen]:
    times = {attempts.get(seen.entry, "") for seen in files}
    if len(times) < 2 or None in times:
        return files
    last = max(time for time in times if time is not None)
    for seen in files:
        if attempts.get(seen.entry, "") != last:
            others[seen.entry] = EARLIER, f"the one of {last} counts"
    return [seen for seen in files if attempts.get(seen.entry, "") == last]


def _changed(files: list[Seen], others: dict[Entry, tuple[str, str]]) -> list[Seen]:
    """Leave out what is as it was handed out; the first of these stays where there is nothing else."""
    changed = [seen for seen in files if not seen.is_untouched] or files[:1]
    others |= {seen.entry: (AS_HANDED_OUT, "") for seen in files if seen not in changed}
    return changed


def _without_copies(files: list[Seen], others: dict[Entry, tuple[str, str]]) -> list[Seen]:
    first: dict[str, Seen] = {}
    for number, seen in enumerate(files):
        code = seen.look.code_sha256 or seen.sha256 or str(number)
        kept = first.setdefault(code, seen)
        if kept is not seen:
            others[seen.entry] = SAME_CODE, str(kept.entry)
    return list(first.values())


def _by_functions(files: list[Seen], exercise: Exercise, others: dict[Entry, tuple[str, str]]) -> list[Seen]:
    """Leave out files without a function of one's own, as an older handout is, and the script that jupytext has
    paired with a notebook: its functions have the same names and bodies.
    """
    tokens = {seen.entry: _tokens(seen, exercise) for seen in files}
    for seen in files:
        if not seen.problem and not tokens[seen.entry] and any(tokens.values()):
            others[seen.entry] = AS_HANDED_OUT, "no function is written in it"
    left = [seen for seen in files if seen.entry not in others]
    notebooks = [seen for seen in left if seen.look.kind == "notebook"]
    if len(left) == 2 and len(notebooks) == 1 and len({tokens[seen.entry] for seen in left}) == 1:
        others |= {seen.entry: (SAME_CODE, str(notebooks[0].entry)) for seen in left if seen not in notebooks}
        return notebooks
    return left


def _tokens(seen: Seen, exercise: Exercise) -> str:
    return reading.read(seen.entry.path, exercise).tokens if seen.entry.path else ""


def _shown(seen: Seen) -> str:
    return "/".join(seen.entry.parts[-2:])
