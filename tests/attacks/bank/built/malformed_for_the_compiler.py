# category: malformed
# wins if: no report
# naive: wins
"""Code so intricate that Python's compiler dies of it."""
from small import PY, WRONG


def hand_in(folder):
    (folder / PY).write_text(WRONG + "DATA = [" + "x for x in " * 80_000 + "y]\n\n\ndef halve(x):\n    return DATA\n")
