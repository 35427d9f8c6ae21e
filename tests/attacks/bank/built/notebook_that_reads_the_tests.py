# category: notebook
# wins if: points
# naive: wins
"""Has the shell show it each cell before it runs, and takes the expected value out of it."""
from small import WRONG, IPYNB, cell, notebook, tests

PATCH = """
FOUND = []

def look(info):
    FOUND.append(info.raw_cell)

get_ipython().events.register("pre_run_cell", look)

def double(x):
    return float(FOUND[-1].rpartition("==")[2])

halve = double
"""


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(PATCH, *tests()))
