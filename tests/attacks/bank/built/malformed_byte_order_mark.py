# category: malformed
# wins if: no report
# naive: wins
"""A notebook that begins with a byte order mark and ends its lines in three ways."""
from small import IPYNB, WRONG, notebook, tests


def hand_in(folder):
    text = notebook(WRONG.replace("\n", "\r\n"), *tests())
    (folder / IPYNB).write_bytes(b"\xef\xbb\xbf" + text.replace(", ", ",\r").encode() + b"\r\n")
