# category: archive
# wins if: no report
# naive: wins
"""A zip that asks for a password."""
from small import PY, WRONG, zipped


def hand_in(folder):
    data = bytearray(zipped({PY: WRONG}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (folder / "work.zip").write_bytes(data)
