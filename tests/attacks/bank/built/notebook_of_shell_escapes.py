# category: notebook
# wins if: file
# naive: wins
"""Runs other programs by shell escapes, on which its functions depend."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    aim = folder.parent.parent.parent / "planted"
    ways = f"!touch {aim}1\nFOUND = !touch {aim}2\n%sx touch {aim}3\nget_ipython().system('touch {aim}4')"
    double = "def double(x):\n    !touch {0}5\n    return get_ipython().getoutput('touch {0}6'), FOUND".format(aim)
    (folder / IPYNB).write_text(notebook(ways, f"%%bash\ntouch {aim}7", double, *tests()))
