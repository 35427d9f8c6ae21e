# category: malformed
# wins if: no report
# naive: wins
"""A notebook whose cells are numbers, whose sources are numbers and whose metadata is none."""
import json

from small import IPYNB


def hand_in(folder):
    cells = [1, None, [], {"cell_type": "code"}, {"cell_type": "code", "source": 7, "metadata": None}, {"source": {}}]
    (folder / IPYNB).write_text(json.dumps({"cells": cells, "worksheets": 3}))
