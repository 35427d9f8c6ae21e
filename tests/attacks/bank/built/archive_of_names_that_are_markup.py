# category: archive
# wins if: markup
# naive: robustness
"""Entries whose names are HTML and terminal codes; what refuses them repeats them."""
from tarfile import SYMTYPE

from small import PY, tarred


def hand_in(folder):
    link = {"type": SYMTYPE, "linkname": "/"}
    names = ("<script>ptqlab()</script>.py", "\x1b[31m.py", f"<script>ptqlab()<\\script>/{PY}")
    (folder / "work.tar").write_bytes(tarred(*((name, "", link) for name in names)))
