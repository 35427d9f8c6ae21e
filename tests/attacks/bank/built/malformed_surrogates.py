# category: malformed
# wins if: no report
# naive: robustness
"""A notebook with half a character in its code, its names and its keys."""
from small import IPYNB, notebook, tests


def hand_in(folder):
    text = notebook("def double(x):\n    return 'HALF'", *tests(), HALF=1)
    (folder / IPYNB).write_text(text.replace("HALF", "\\ud800"))
