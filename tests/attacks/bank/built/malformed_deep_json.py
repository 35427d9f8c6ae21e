# category: malformed
# wins if: no report
# naive: wins
"""A notebook of a hundred thousand lists in each other."""
from small import IPYNB


def hand_in(folder):
    (folder / IPYNB).write_text('{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}")
