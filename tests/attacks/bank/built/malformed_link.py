# category: malformed
# wins if: points
# naive: wins
"""A link to the neighbour's work, as a file, and as the whole folder."""
from small import PY


def hand_in(folder):
    (folder / PY).symlink_to(folder.parent / "honest" / PY)
    (folder.parent / "mallory").symlink_to(folder.parent / "honest")
