# category: malformed
# wins if: no report
# naive: wins
"""A notebook with NaN, Infinity and a number of a hundred thousand digits."""
from small import IPYNB, WRONG, notebook


def hand_in(folder):
    numbers = f'"a": NaN, "b": -Infinity, "c": 1e999999, "d": {"9" * 100_000}'
    (folder / IPYNB).write_text(notebook(WRONG)[:-1] + f", {numbers}}}")
