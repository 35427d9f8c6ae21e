# category: notebook
# wins if: points
# naive: wins
"""Has the shell read every cell that comes after as `pass`, before it is parsed."""
from small import WRONG, IPYNB, cell, notebook, tests

PATCH = """
get_ipython().input_transformers_cleanup.append(lambda lines: ["pass"])
"""


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(WRONG, PATCH, *tests()))
