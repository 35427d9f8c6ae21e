# category: malformed
# wins if: no report
# naive: wins
"""A script in Latin-1."""
from small import PY, WRONG


def hand_in(folder):
    (folder / PY).write_bytes("# façon d'être\n".encode("latin-1") + WRONG.encode())
