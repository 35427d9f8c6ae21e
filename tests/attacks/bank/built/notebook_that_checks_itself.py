# category: notebook
# wins if: points
# naive: robustness
"""Replaces check() and the kit's own modules by ones that find everything right."""
from small import WRONG, IPYNB, cell, notebook, tests

PATCH = """
import autograder.lab
import autograder.lab.checking

autograder.lab.check = autograder.lab.checking.check = lambda *args, **kwargs: True
DONE = autograder.lab.check("1.1")

def double(x):
    return DONE
"""


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(PATCH, *tests()))
