# category: archive
# wins if: no report
# naive: wins
"""A zip whose headers say ten bytes where ten megabytes come."""
import struct

from small import PY, zipped


def hand_in(folder):
    made = zipped({PY: bytes(10 << 20)})
    (folder / "work.zip").write_bytes(made.replace(struct.pack("<I", 10 << 20), struct.pack("<I", 10)))
