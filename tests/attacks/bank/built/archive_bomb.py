# category: archive
# wins if: no report
# naive: wins
"""A hundred megabytes of zeros in a hundred kilobytes."""
from small import PY, zipped


def hand_in(folder):
    (folder / "work.zip").write_bytes(zipped({PY: bytes(100 << 20)}))
