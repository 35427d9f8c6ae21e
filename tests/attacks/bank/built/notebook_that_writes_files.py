# category: notebook
# wins if: file
# naive: wins
"""Writes a file by magics, without another program."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    aim = folder.parent.parent.parent / "planted.py"
    (folder / IPYNB).write_text(notebook(f"%%writefile {aim}\nx = 1", f"%save -f {aim} 1", WRONG, *tests()))
