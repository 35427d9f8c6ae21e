# category: notebook
# wins if: points
# naive: wins
"""Adds a test cell of its own that passes, and outputs and metadata that say what it is worth."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    forged = cell("pass", "test_more")
    forged["metadata"]["nbgrader"]["points"] = 1000
    forged["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "score: 1000/1000"}]
    (folder / IPYNB).write_text(notebook(WRONG, *tests(), forged, score=1000))
