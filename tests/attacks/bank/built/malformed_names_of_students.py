# category: malformed
# wins if: neighbour
# naive: robustness
"""Folders called nearly as the neighbour is, by bytes that no encoding holds, markup and blanks: each wants its own report."""
import os

from small import PY, WRONG


def hand_in(folder):
    for name in (b"honest ", b"honest.", b"HONEST", b"honest\xff", b"hon\xe2\x80\x8best", b"<script>ptqlab()", b"-honest", b"con"):
        own = os.path.join(os.fsencode(folder.parent), name)
        os.mkdir(own)
        with open(os.path.join(own, os.fsencode(PY)), "w") as file:
            file.write(WRONG)
