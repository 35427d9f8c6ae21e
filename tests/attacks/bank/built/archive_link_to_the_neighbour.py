# category: archive
# wins if: points
# naive: wins
"""A tar whose one file is a link to what the neighbour has handed in."""
from tarfile import SYMTYPE

from small import PY, tarred


def hand_in(folder):
    made = tarred((PY, "", {"type": SYMTYPE, "linkname": f"../honest/{PY}"}))
    (folder / "work.tar").write_bytes(made)
