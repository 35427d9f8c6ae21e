# category: notebook
# wins if: points
# naive: robustness
"""Empties the test cells that were handed out, deletes one, and marks them as no tests of anybody's."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    empty = tests()[0] | {"source": "pass"}
    (folder / IPYNB).write_text(notebook(WRONG, empty, cell("None", "", execution_count=7)))
