"""Grade first-order mutants of each lab's reference solution by the lab's own tests: docs/references.md.

    python tests/mutation/references.py [01 …] [--most 100] [--report]

A mutant is graded in a forked child, in process: the tests are collected, the models loaded and the class's values
computed before the fork. A survivor on which nothing is decided in survivors.toml is graded once more by `verify`, in
jailed workers, where tests see what they can't see in process. Results are lines of JSON in tests/mutation/results/, by definition, change and tests: what was
graded isn't graded again.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.course.catalog import find_exercises, pick_exercise
from autograder.course.sources import reference_source
from autograder.grading.known_answers import Case, altered
from autograder.grading.reference import reference_namespace
from autograder.grading.verify import examine, functions_called
from autograder.records import Exercise, Outcome, Settings, Status
from autograder.submission.loading import load_module
from autograder.submission.pieces import Cell
from autograder.submission.slicing import slice_cells
from autograder.testing.plugin import available_devices, run_suites
from autograder.testing.proxy import InProcess

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from mutation.mutants import Mutant, mutants_of  # noqa: E402

SEED = 1
TIMES_THE_REFERENCE = 10
LEAST_CPU_SECONDS = 5
MOST_BYTES = 6 * 2**30
KILLED, SURVIVED = "killed", "survived"


@dataclass(frozen=True)
class Lab:
    """One lab's reference, and what its tests say of it in this process."""

    exercise: Exercise

    @cached_property
    def solution(self) -> Path:
        """The folder of the lab's solution."""
        assert self.exercise.solution is not None
        return self.exercise.solution

    @cached_property
    def reference(self) -> str:
        """The whole reference."""
        return reference_source(self.solution / "source.py")

    @cached_property
    def graded(self) -> str:
        """The definitions that graded functions depend on."""
        return slice_cells([Cell(0, self.reference)], self.exercise.functions).source

    @cached_property
    def mutants(self) -> tuple[Mutant, ...]:
        """Every mutant, in the order of the reference."""
        return tuple(mutants_of(self.graded))

    @cached_property
    def called(self) -> dict[str, frozenset[str]]:
        """The functions that each task's tests call."""
        return functions_called(self.exercise)

    @cached_property
    def tests_digest(self) -> str:
        """A digest of the lab's tests."""
        files = sorted([*self.exercise.folder.glob("*.py"), *self.solution.glob("test_*.py")])
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]

    @cached_property
    def baseline(self) -> dict[str, tuple[frozenset[str], float]]:
        """For each task, the tests that the reference passes in this process, and its CPU seconds."""
        namespace = reference_namespace(self.exercise.folder, self.solution)
        self.passed(namespace, self.exercise.tasks[0].id)  # loads what is loaded once
        found = {}
        for task in self.exercise.tasks:
            started = time.process_time()
            outcomes = self._outcomes(namespace, task.id, False)
            seconds = time.process_time() - started
            passed = frozenset(outcome.test for outcome in outcomes if outcome.status is Status.PASSED)
            found[task.id] = (passed, seconds)
            for lost in sorted({outcome.test for outcome in outcomes} - passed):
                print(f"  not counted, the reference does not pass it in process: {lost}", flush=True)
        return found

    def passed(self, namespace: Mapping[str, Any], task: str, *, until_lost: bool = False) -> frozenset[str]:
        """Return the tests of a task that a module passes in this process."""
        outcomes = self._outcomes(namespace, task, until_lost)
        return frozenset(outcome.test for outcome in outcomes if outcome.status is Status.PASSED)

    def _outcomes(self, namespace: Mapping[str, Any], task: str, until_lost: bool) -> tuple[Outcome, ...]:
        return run_suites(
            self.exercise,
            InProcess(namespace),
            SEED,
            available_devices("cpu"),
            hidden=True,
            only={task},
            until_lost=until_lost,
            reference=reference_namespace,
        )

    def tasks_of(self, mutant: Mutant) -> list[str]:
        """Return the tasks that can see the mutant, the cheapest first."""
        case = Case("", "mutant", f"{self.reference}\n\n{mutant.text}", frozenset(), "")
        tasks = altered(self.exercise, case, self.called) or {task.id for task in self.exercise.tasks}
        return sorted(tasks, key=lambda task: (self.baseline[task][1], task))

    def decision_key(self, mutant: Mutant) -> tuple[str, str, str, str]:
        """By which survivors.toml names a mutant."""
        return self.exercise.slug[:2], mutant.definition, *mutant.change

    def source_of(self, mutant: Mutant) -> str:
        """Return the graded definitions, one of them changed."""
        return in_place(self.graded, mutant)


def in_place(graded: str, mutant: Mutant) -> str:
    """Return a module in which a mutant stands where the definition stood."""
    tree = ast.parse(graded)
    tree.body = [part for node in tree.body for part in (_changed(node, mutant) or [node])]
    return ast.unparse(tree)


def _changed(node: ast.stmt, mutant: Mutant) -> list[ast.stmt]:
    names = [getattr(node, "name", "")]
    if isinstance(node, ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
    return ast.parse(mutant.text).body if mutant.definition in names else []


def grade_in_process(lab: Lab, mutant: Mutant, tasks: Collection[str]) -> dict[str, Any]:
    """Grade a mutant in a forked child and return its verdict; what ends the child kills the mutant."""
    limit = max(LEAST_CPU_SECONDS, TIMES_THE_REFERENCE * sum(lab.baseline[task][1] for task in tasks))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _answer(lab, mutant, tasks, int(limit), writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(child, 0)
    seconds = round(usage.ru_utime + usage.ru_stime, 2)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT:
        raise KeyboardInterrupt
    if text:
        return {**json.loads(text), "seconds": seconds}
    return {"verdict": KILLED, "by": f"ended with status {status}", "seconds": seconds}


def _answer(lab: Lab, mutant: Mutant, tasks: Collection[str], limit: int, writing: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    verdict = {"verdict": SURVIVED}
    try:
        loaded = load_module(lab.source_of(mutant), "mutant")
        for task in tasks:
            lost = lab.baseline[task][0] - lab.passed(vars(loaded.module), task, until_lost=True)
            if lost:
                verdict = {"verdict": KILLED, "by": task}
                break
        os.write(writing, json.dumps(verdict).encode())
    finally:
        os._exit(0)


def grade_in_jail(lab: Lab, mutant: Mutant, tasks: Collection[str]) -> dict[str, Any]:
    """Grade a mutant as `verify` does."""
    case = Case("mutant", "mutant", lab.source_of(mutant), frozenset(), "")
    lost = examine(lab.exercise, case, Settings(SEED), frozenset(tasks)).lost
    return {"verdict": KILLED, "by": f"jailed: {' '.join(sorted(lost))}"} if lost else {"verdict": SURVIVED}


class Results:
    """The verdicts of a lab's mutants, in a file to which each is added as it comes."""

    def __init__(self, path: Path, tests: str) -> None:
        self.path, self.tests = path, tests
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        every = [json.loads(line) for line in lines]
        self.known = {entry["key"]: entry for entry in every if entry["tests"] == tests}

    def hold(self, mutant: Mutant, jailed: bool) -> bool:
        """Tell whether a mutant has a verdict; a survivor's has to come from the jail if `jailed`."""
        entry = self.known.get(mutant.key)
        return entry is not None and (not jailed or entry["verdict"] == KILLED or entry.get("jailed", False))

    def add(self, mutant: Mutant, verdict: Mapping[str, Any]) -> None:
        """Write a verdict down."""
        entry = {"key": mutant.key, "tests": self.tests, "definition": mutant.definition, **verdict}
        self.known[mutant.key] = entry
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def run(lab: Lab, most: int | None, jail: bool) -> None:
    """Grade the mutants of a lab that have no verdict; with `most`, a sample of that size drawn by a seed."""
    results = results_of(lab)
    drawn = lab.mutants if most is None else random.Random(SEED).sample(lab.mutants, min(most, len(lab.mutants)))
    decided = survivors()
    todo = [mutant for mutant in drawn if not results.hold(mutant, jail and lab.decision_key(mutant) not in decided)]
    if todo:
        import torch

        torch.set_num_threads(1)  # a fork has no threads but its own
        print(
            f"{lab.exercise.slug}: {len(todo)} mutants to grade", {k: round(v[1], 1) for k, v in lab.baseline.items()}
        )
    for mutant in todo:
        tasks = lab.tasks_of(mutant)
        verdict = grade_in_process(lab, mutant, tasks)
        if verdict["verdict"] == SURVIVED and jail and lab.decision_key(mutant) not in decided:
            verdict = {**verdict, **grade_in_jail(lab, mutant, tasks), "jailed": True}
        results.add(mutant, verdict)
        if verdict["verdict"] == SURVIVED:
            print(f"  survived: {mutant.definition}: {' -> '.join(mutant.change)}", flush=True)


def results_of(lab: Lab) -> Results:
    """Return the verdicts on a lab's mutants under its present tests."""
    return Results(HERE / "results" / f"{lab.exercise.slug}.jsonl", lab.tests_digest)


def survivors() -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """Return what was decided about survivors, by lab, definition and change."""
    with (HERE / "survivors.toml").open("rb") as file:
        entries = tomllib.load(file).get("survivor", [])
    return {(lab, entry["definition"], entry["was"], entry["now"]): entry for entry in entries for lab in entry["labs"]}


def variants(name: str) -> list[Path]:
    """Return the right answers in solutions/ of that name."""
    return list((HERE.parents[1] / "solutions").glob(f"*/variants/{name}.py"))


def figures(lab: Lab) -> tuple[Counter[str], list[Mutant]]:
    """Return how many mutants of a lab were generated, graded, killed, equivalent, free and open, and the open ones."""
    known, decided = results_of(lab).known, survivors()
    counts, undecided = Counter({"generated": len(lab.mutants)}), []
    for mutant in lab.mutants:
        entry = known.get(mutant.key)
        if entry is None:
            continue
        counts["graded"] += 1
        decision = decided.get(lab.decision_key(mutant), {}).get("verdict", "open")
        verdict = KILLED if entry["verdict"] == KILLED else decision
        counts[verdict] += 1
        if verdict == "open":
            undecided.append(mutant)
    return counts, undecided


COLUMNS = ("generated", "graded", KILLED, "equivalent", "free", "open")


def table(labs: Collection[Lab]) -> Iterator[str]:
    """Yield the figures of the labs as a table in Markdown, and below it the open mutants."""
    yield f"| lab | {' | '.join(COLUMNS)} |"
    yield f"|---|{'---:|' * len(COLUMNS)}"
    every = {lab.exercise.slug: figures(lab) for lab in labs}
    for slug, (counts, _) in every.items():
        yield f"| {slug} | {' | '.join(str(counts[column]) for column in COLUMNS)} |"
    for slug, (_, undecided) in every.items():
        for mutant in undecided:
            yield f"open: {slug}: {mutant.definition}: {' -> '.join(mutant.change)}"


def main() -> int:
    """Grade, print the figures, and return 1 while a survivor is undecided."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labs", nargs="*", help="numbers or slugs; default: all")
    parser.add_argument("--most", type=int, help="a sample of this many mutants of each lab, drawn by a seed")
    parser.add_argument("--report", action="store_true", help="grade nothing, print the figures")
    parser.add_argument("--in-process", action="store_true", help="do not grade survivors again in the jail")
    options = parser.parse_args()
    exercises = find_exercises(HERE.parents[1])
    labs = [Lab(pick_exercise(exercises, key)) for key in options.labs] or [Lab(each) for each in exercises]
    for lab in labs if not options.report else []:
        run(lab, options.most, not options.in_process)
    print("\n".join(table(labs)))
    return int(any(figures(lab)[1] for lab in labs))


if __name__ == "__main__":
    sys.exit(main())
