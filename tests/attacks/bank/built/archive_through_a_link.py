# category: archive
# wins if: neighbour
# naive: wins
"""A tar that first makes a link to the neighbour's folder, and then writes through it."""
from tarfile import SYMTYPE

from small import PY, WRONG, tarred


def hand_in(folder):
    made = tarred(("way", "", {"type": SYMTYPE, "linkname": "../honest"}), (f"way/{PY}", WRONG, {}), (PY, WRONG, {}))
    (folder / "work.tar").write_bytes(made)
