# category: archive
# wins if: no report
# naive: wins
"""Thirty entries of eight megabytes that are all the same bytes of the archive."""
import struct

from small import PY, zipped


def hand_in(folder):
    data = zipped({f"a00/{PY}": bytes(8 << 20)})
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entries = b"".join(data[start:end].replace(b"a00", b"a%02d" % number) for number in range(30))
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 30, 30, len(entries), start, 0)
    (folder / "work.zip").write_bytes(data[:start] + entries + tail)
