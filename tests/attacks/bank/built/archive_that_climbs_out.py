# category: archive
# wins if: neighbour
# naive: wins
"""A zip with an entry that climbs out of its folder and into the neighbour's."""
from small import PY, WRONG, zipped


def hand_in(folder):
    (folder / "work.zip").write_bytes(zipped({PY: WRONG, f"../honest/{PY}": WRONG}))
