"""`ptqlab verify`: what is compared, and what it calls unproven. No answer is graded here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.rubrics import rubric

from autograder.grading import known_answers, verify
from autograder.grading.known_answers import Case
from autograder.records import Exercise, Limits, Outcome, Provenance, PtqlabError, Report, Status, Submission, Task
from autograder.scoring import score

TEXT = {"en": "t", "zh-TW": "t"}
LETTERS = {"P": Status.PASSED, "F": Status.FAILED, "C": Status.CRASHED, "!": Status.GRADER_ERROR}
TASK = Task("6.1", TEXT, ("f",), 4, TEXT, rubric(values=60, errors=20, state=20))
LAB = Exercise("06_x", TEXT, (TASK,), Limits(), Path())


def outcomes(**letters: str) -> list[Outcome]:
    """`outcomes(values="PF|P")`: one test a letter; those behind the bar are hidden."""
    return [
        Outcome(f"{item} {number}", "6.1", item, number >= drawn.index("|"), LETTERS[letter], "claim", "says")
        for item, drawn in letters.items()
        for number, letter in enumerate(drawn.replace("|", ""))
    ]


def report(found: list[Outcome]) -> Report:
    made_with = Provenance("1", "o", "p", 7, "cpu", "jail", Limits())
    return score(LAB, Submission("s", LAB.slug, "", ""), found, made_with, every_item=False)


def verification(kind: str = "mutant", loses: str = "", at_home: str = "", **letters: str) -> verify.Verification:
    """What `examine` makes of a case whose tests end so."""
    found = outcomes(**letters)
    case = Case("c", kind, "", frozenset(loses.split()), "about", at_home=at_home)
    public = verify._lost(test for test in found if not test.hidden)
    return verify.Verification(case, verify._lost(found), public, report(found))


@pytest.mark.parametrize(
    ("letters", "lost", "at_home"),
    [
        ({"values": "P|P", "errors": "P|"}, "", ""),
        ({"values": "F|F", "errors": "F|"}, "6.1/values", "6.1/values"),
        ({"values": "P|P", "errors": "F|P", "state": "P|C"}, "6.1/errors 6.1/state", "6.1/errors"),
        ({"values": "P|F", "errors": "F|"}, "6.1/values", "6.1/errors"),
    ],
)
def test_who_loses_values_loses_what_hangs_on_it_and_the_rest_is_named(
    letters: dict[str, str], lost: str, at_home: str
) -> None:
    found = verification(**letters)
    assert (found.lost, found.lost_at_home) == (frozenset(lost.split()), frozenset(at_home.split()))


@pytest.mark.parametrize(
    ("letters", "complaint"),
    [
        ({"values": "P|P", "errors": "F|"}, None),
        ({"values": "P|P", "errors": "P|F"}, "loses 6.1/errors, but at home nothing"),
        ({"values": "P|P", "errors": "P|"}, "expected to lose 6.1/errors, lost nothing"),
        ({"values": "P|P", "errors": "F|", "state": "F|"}, "expected to lose 6.1/errors, lost 6.1/errors, 6.1/state"),
        ({"values": "F|", "errors": "F|"}, "expected to lose 6.1/errors, lost 6.1/values"),
        ({"values": "P|!", "errors": "F|"}, "expected to lose 6.1/errors, lost 6.1/values"),
    ],
)
def test_a_wrong_answer_loses_exactly_its_items_at_home_and_in_the_grader(
    letters: dict[str, str], complaint: str | None
) -> None:
    complaints = verify._complaints(verification(loses="6.1/errors", **letters), 3)
    assert [line.partition("\n")[0] for line in complaints] == (
        [f"mutant c (seed 3): {complaint}"] if complaint else []
    )


def test_what_only_hidden_tests_can_tell_is_named_with_its_reason() -> None:
    found = verification(loses="6.1/state", at_home="memory is not measured there", values="P|P", state="P|F")
    assert not verify._complaints(found, 1)


REFERENCE = {"values": "P|P", "errors": "P|", "state": "P|P"}


def mutants(*losing: str, at_home: str = "") -> list[Case]:
    return [
        Case(f"m{number}", "mutant", "", frozenset([item]), "about", at_home=at_home)
        for number, item in enumerate(losing)
    ]


ENOUGH = mutants(*["6.1/values", "6.1/errors", "6.1/state"] * 2)


@pytest.mark.parametrize(
    ("letters", "every", "unproven"),
    [
        (REFERENCE, ENOUGH, []),
        (REFERENCE | {"errors": "|P"}, ENOUGH, ["6.1/errors lacks a public test"]),
        (REFERENCE | {"state": "P|"}, ENOUGH, ["6.1/state lacks a hidden test"]),
        (REFERENCE, ENOUGH[:-1], ["6.1/state lacks 2 wrong answers that lose it"]),
        (
            REFERENCE | {"values": "|P"},
            ENOUGH[1:],
            ["6.1/values lacks a public test and 2 wrong answers that lose it"],
        ),
        (
            REFERENCE,
            ENOUGH + mutants("6.1/values", "6.1/values", at_home="a reason"),
            ["expected at most 2% of the wrong answers that only hidden tests tell; got m0, m1"],
        ),
    ],
)
def test_an_item_needs_public_and_hidden_tests_and_two_wrong_answers(
    letters: dict[str, str], every: list[Case], unproven: list[str]
) -> None:
    proofs = verify.item_proofs(LAB, every, report(outcomes(**letters)))
    assert verify._unproven(every, proofs) == unproven


def test_every_item_has_a_line_with_its_numbers() -> None:
    proofs = verify.item_proofs(LAB, ENOUGH, report(outcomes(values="PP|P", errors="P|", state="P|P")))
    assert [" ".join(str(proof).split()) for proof in proofs] == [
        "6.1/values 2 public, 1 hidden, 2 wrong answers",
        "6.1/errors 1 public, 0 hidden, 2 wrong answers",
        "6.1/state 1 public, 1 hidden, 2 wrong answers",
    ]


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("# loses: 6.1\n# mistake: x\n", "Expected an item of a task's rubric as in 1.1/values behind '# loses:'"),
        ("# loses: 6.1/memory\n# mistake: x\n", "in m.py; got 6.1/memory"),
        ("# loses: 6.1/state\n", "Expected '# loses: …' and '# mistake: …' at the top of m.py"),
    ],
)
def test_a_header_names_items_that_there_are(header: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(header + "def f(): ...\n", encoding="utf-8")
    with pytest.raises(PtqlabError, match=error.replace("(", "\\(")):
        known_answers._case(path, "mutant", "", LAB)


def test_a_header_says_what_is_lost_and_why_the_public_tests_do_not_see_it(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    text = "# loses: 6.1/state 6.1/errors\n# mistake: it forgets\n# at home: no memory\ndef f(): ...\n"
    path.write_text(text, encoding="utf-8")
    case: Any = known_answers._case(path, "mutant", "reference", LAB)
    assert (case.loses, case.tasks, case.at_home) == ({"6.1/state", "6.1/errors"}, {"6.1"}, "no memory")
