# category: notebook
# wins if: no report
# naive: wins
"""Has two cells of one grade_id, and of one cell id."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    twice = [one | {"id": "same"} for one in (*tests(), *tests())]
    (folder / IPYNB).write_text(notebook(WRONG, *twice))
