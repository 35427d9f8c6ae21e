# category: notebook
# wins if: no report
# naive: wins
"""Holds two hundred thousand cells."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(*["x = 1"] * 200_000, *tests()))
