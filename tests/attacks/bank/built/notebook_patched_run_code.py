# category: notebook
# wins if: points
# naive: wins
"""Replaces the shell's run_code, so that no cell that comes after is run or fails."""
from small import WRONG, IPYNB, cell, notebook, tests

PATCH = """
async def run_code(*args, **kwargs):
    return False

SHELL = get_ipython()
SHELL.run_code = run_code

def double(x):
    return SHELL

def halve(x):
    return SHELL
"""


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(PATCH, *tests()))
