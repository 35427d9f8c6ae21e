# category: notebook
# wins if: points
# naive: wins
"""Has the shell take the asserts out of every cell that comes after."""
from small import WRONG, IPYNB, cell, notebook, tests

PATCH = """
import ast

class Mild(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()

get_ipython().ast_transformers.append(Mild())
"""


def hand_in(folder):
    (folder / IPYNB).write_text(notebook(WRONG, PATCH, *tests()))
