# category: malformed
# wins if: no report
# naive: wins
"""A file of forty gigabytes that takes no place on the disk."""
import os

from small import PY


def hand_in(folder):
    (folder / PY).touch()
    os.truncate(folder / PY, 40 << 30)
