# category: archive
# wins if: neighbour
# naive: wins
"""A tar that makes the neighbour's file its own under a second name, and then writes its content anew."""
from tarfile import LNKTYPE

from small import PY, WRONG, tarred


def hand_in(folder):
    made = tarred((PY, "", {"type": LNKTYPE, "linkname": f"../honest/{PY}"}), (PY, WRONG, {}))
    (folder / "work.tar").write_bytes(made)
