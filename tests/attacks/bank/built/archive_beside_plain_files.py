# category: archive
# wins if: no report
# naive: robustness
"""Hands in an archive where everybody else's files lie beside each other."""
from small import PY, WRONG, zipped


def hand_in(folder):
    (folder.parent / "honest" / PY).rename(folder.parent / "honest.py")
    (folder.parent / "honest").rmdir()
    folder.rmdir()
    (folder.parent / "eve.zip").write_bytes(zipped({PY: WRONG}))
