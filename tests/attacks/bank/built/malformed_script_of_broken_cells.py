# category: malformed
# wins if: no report
# naive: robustness
"""A script of a thousand cells of which none parses: whoever looks for what can be saved tries every piece of each."""
from small import PY


def hand_in(folder):
    (folder / PY).write_text("".join("# %%\n" + "(\n" * 490 + f"# {number}\n" for number in range(990)))
