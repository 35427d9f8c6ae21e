# category: notebook
# wins if: markup
# naive: robustness
"""Carries scripts in titles, outputs, attachments and in the kernel's name."""
from small import WRONG, IPYNB, cell, notebook, tests


def hand_in(folder):
    script = "<script>ptqlab()</script>"
    text = {"cell_type": "markdown", "metadata": {}, "source": script, "attachments": {script: {"text/html": script}}}
    shown = cell("def double(x):\n    raise KeyError(SCRIPT)", outputs=[{"output_type": "display_data", "data": {"text/html": script}}])
    book = notebook(f"SCRIPT = {script!r}", text, shown, f"raise ValueError({script!r})", title=script, kernelspec={"name": script})
    (folder / IPYNB).write_text(book)
