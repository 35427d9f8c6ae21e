# category: notebook
# wins if: no report
# naive: wins
"""Holds one cell of sixty megabytes, on which a function depends."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    (folder / IPYNB).write_text(notebook("DATA = [" + "1," * (30 << 20) + "]", "def double(x): return DATA", *tests()))
