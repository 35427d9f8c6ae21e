# category: archive
# wins if: no report
# naive: wins
"""Is called eve.zip as a file and as a folder, in the class's archive."""
from small import PY, WRONG, class_archive, zipped


def hand_in(folder):
    class_archive(folder, {"eve.zip": zipped({PY: WRONG}), f"eve.zip/{PY}": WRONG})
