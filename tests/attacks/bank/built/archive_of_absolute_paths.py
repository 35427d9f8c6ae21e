# category: archive
# wins if: neighbour
# naive: wins
"""A zip with an entry that says from the root where it wants to lie: over the neighbour's work."""
from small import PY, WRONG, zipped


def hand_in(folder):
    aim = str(folder.parent / "honest" / PY)
    (folder / "work.zip").write_bytes(zipped({PY: WRONG, aim: WRONG}))
