# category: notebook
# wins if: no report
# naive: wins
"""A notebook whose metadata is of every type but the right one, and whose kernel is a shell that prints a score."""
import json

from small import IPYNB, WRONG, cell, notebook, tests


def hand_in(folder):
    made = json.loads(notebook(WRONG, *tests()))
    odd = [None, [], {"a": [[]]}, 1e308, "x" * 10_000, {"nbgrader": []}, {"nbgrader": {"grade_id": {"points": 10**300}}}]
    made["cells"] = [{**cell(WRONG), "metadata": one, "id": one, "outputs": one, "execution_count": one} for one in odd] + made["cells"]
    made["metadata"] = {"kernelspec": {"argv": ["/bin/sh", "-c", "echo 100/100"], "name": ["bash"]}, "language_info": {"name": {"a": 1}}, "authors": odd}
    made["nbformat"], made["nbformat_minor"] = "4", None
    (folder / IPYNB).write_text(json.dumps(made))
