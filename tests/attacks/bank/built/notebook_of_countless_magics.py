# category: notebook
# wins if: no report
# naive: robustness
"""A megabyte of cells in which every other line is a magic: whoever mends them one by one parses each cell a thousand times."""
from small import IPYNB, cell, notebook


def hand_in(folder):
    cells = [cell("%x\ny\n" * 880 + f"# {number}") for number in range(220)]
    (folder / IPYNB).write_text(notebook("def double(x):\n    return None\n", *cells))
