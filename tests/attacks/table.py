"""Write docs/attacks.md: every attack of the bank, what it is after, and how it fares against a naive grader and ours.

The results stand in the attacks' headers; test_bank.py runs them all and fails where a header is wrong.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import CATEGORIES, ROOT, WINS, Attack, read_bank, read_built

PAGE = ROOT / "docs" / "attacks.md"
INTRODUCTION = """# Attacks

<!-- written by tests/attacks/table.py; tests/attacks/test_bank.py fails when it is stale -->

{total} submissions that try to cheat, all in `tests/attacks/bank/`. Each is graded by the kit, in a grading process as
`ptqlab grade` has them: as root, as an ordinary user, and both in a container that refuses namespaces. Against the kit
none wins: not a point, not a byte of a hidden test, no file outside the scratch folder, no process that stays, no
message, and every one ends in a report. What is an archive, a notebook or malformed is handed in beside an honest
neighbour's work, whose report must be what it is alone.

Each is also graded by a naive grader, as one writes it first: it imports the submission beside its tests, in one process,
and believes pytest's exit code and JSON report; it unpacks archives wherever their names say; it runs notebooks in one
IPython shell, with the test cells put back by their `grade_id`, and counts what passes. {wins} win against it, which
shows that they are real; the other {rest} don't, and are kept as tests of robustness.

| | attacks | win against the naive grader | win against the kit |
|---|---|---|---|
{summary}

`make test` draws one of each category for whoever runs it, and one of each way to win for another of the places; another
commit draws others. `make prove` tries all of them everywhere, and against the naive graders.

An attack wins if:

{ways}
"""
SECTION = """
## {category}

| attack | what it does | wins if | naive grader | the kit |
|---|---|---|---|---|
{rows}
"""


def page(bank: Sequence[Attack]) -> str:
    """The whole page."""
    wins = sum(attack.naive == "wins" for attack in bank)
    used = Counter(attack.wins_if for attack in bank)
    ways = "\n".join(f"- *{name}*: {words}." for name, words in WINS.items() if used[name])
    lines = [counts(name, [attack for attack in bank if attack.category == name]) for name in CATEGORIES]
    summary = "\n".join([*lines, counts("together", bank)])
    head = INTRODUCTION.format(total=len(bank), wins=wins, rest=len(bank) - wins, ways=ways, summary=summary)
    sections = (section(name, [attack for attack in bank if attack.category == name]) for name in CATEGORIES)
    return head + "".join(sections)


def counts(name: str, attacks: Sequence[Attack]) -> str:
    return f"| {name} | {len(attacks)} | {sum(attack.naive == 'wins' for attack in attacks)} | 0 |"


def section(category: str, attacks: Sequence[Attack]) -> str:
    rows = "\n".join(
        f"| `{attack.name}` | {attack.what} | {attack.wins_if} | {'**loses**' if attack.naive == 'wins' else 'holds'} | holds |"
        for attack in attacks
    )
    return SECTION.format(category=category[0].upper() + category[1:], rows=rows)


if __name__ == "__main__":
    PAGE.write_text(page([*read_bank(), *read_built()]), encoding="utf-8")
