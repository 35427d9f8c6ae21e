# category: archive
# wins if: neighbour
# naive: robustness
"""Calls itself as the neighbour does, but for upper case and a long s: both names may not be one."""
from small import PY, WRONG, class_archive


def hand_in(folder):
    class_archive(folder, {f"Honest/{PY}": WRONG, f"hone\u017ft/{PY}": WRONG})
