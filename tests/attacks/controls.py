"""The positive control: have the naive graders grade the attacks that they have not seen as they are now.

python -P tests/attacks/controls.py

controls.txt holds the digest of each attack that did to a naive grader what its header says.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import HANDED_IN, HERE, Attack, read_bank, read_built

SEEN = HERE / "controls.txt"
CALLED, BUILT = ("common.py", "naive.py"), ("common.py", "naive_class.py", "small.py")  # the naive graders


def digest(attack: Attack) -> str:
    """Return the digest of an attack and of its naive grader."""
    grader = _bytes(BUILT if attack.category in HANDED_IN else CALLED)
    return hashlib.sha256(grader + attack.source.encode()).hexdigest()[:16]


@cache
def _bytes(names: tuple[str, ...]) -> bytes:
    return b"".join((HERE / name).read_bytes() for name in names)


def seen() -> dict[str, str]:
    """Return the digests in controls.txt by the attacks' names."""
    lines = SEEN.read_text(encoding="utf-8").splitlines() if SEEN.exists() else []
    return {name: hexadecimal for hexadecimal, name in map(str.split, lines)}


def stale(bank: Sequence[Attack], known: Mapping[str, str] | None = None) -> list[Attack]:
    """Return the attacks that no naive grader has seen as they are."""
    digests = seen() if known is None else known
    return [attack for attack in bank if digests.get(attack.name) != digest(attack)]


def wrong(attacks: Sequence[Attack]) -> list[str]:
    """Grade attacks of one kind, called or handed in; return the names of those whose header is wrong."""
    if not attacks:
        return []
    program = "naive_class.py" if attacks[0].category in HANDED_IN else "naive.py"
    command = [sys.executable, "-P", str(HERE / program), *(attack.name for attack in attacks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    hits = {name: result["hits"] for name, result in json.loads(done.stdout).items()}
    return [a.name for a in attacks if not _either(a) and (a.wins_if in hits[a.name]) != (a.naive == "wins")]


def _either(attack: Attack) -> bool:
    """Whether the naive grader may end in time or not: it has two CPU seconds, which a busy machine makes fewer."""
    return attack.naive == "robustness" and attack.wins_if == "no report"


def main() -> None:
    """Grade what is stale, note what did as it says, and end with an error for the rest."""
    banks = read_bank(), read_built()
    failed = [name for bank in banks for name in wrong(stale(bank))]
    lines = [f"{digest(attack)} {attack.name}" for bank in banks for attack in bank if attack.name not in failed]
    SEEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if failed:
        raise SystemExit(f"The header does not say what a naive grader does with: {', '.join(failed)}. Correct it.")


if __name__ == "__main__":
    main()
