# category: malformed
# wins if: no report
# naive: wins
"""A notebook with a second one behind it."""
from small import IPYNB, WRONG, notebook


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(WRONG) + notebook("x = 1") + "\0")
