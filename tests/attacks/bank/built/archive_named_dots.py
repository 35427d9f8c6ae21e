# category: archive
# wins if: neighbour
# naive: wins
"""An archive whose name without its suffix is the folder above."""
from small import PY, WRONG, zipped


def hand_in(folder):
    (folder.parent / "...zip").write_bytes(zipped({f"class/honest/{PY}": WRONG}))
    (folder.parent / "..zip").write_bytes(zipped({f"honest/{PY}": WRONG}))
    (folder / PY).write_text(WRONG)
