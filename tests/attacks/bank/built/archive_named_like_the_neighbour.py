# category: archive
# wins if: neighbour
# naive: wins
"""Hands in an archive that is called like the neighbour, whose own work lies one folder deeper."""
from small import PY, WRONG, zipped


def hand_in(folder):
    nested = folder.parent / "honest" / "01_small"
    nested.mkdir()
    (folder.parent / "honest" / PY).rename(nested / PY)
    (folder.parent / "honest.zip").write_bytes(zipped({f"01_small/{PY}": WRONG}))
    (folder / PY).write_text(WRONG)
