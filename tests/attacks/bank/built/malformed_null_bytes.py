# category: malformed
# wins if: no report
# naive: robustness
"""A script with null bytes, form feeds and other control characters between its statements."""
from small import PY, WRONG


def hand_in(folder):
    (folder / PY).write_bytes(WRONG.replace("\n\n", "\n\0\n\f\x1a\n").encode() + bytes(100))
