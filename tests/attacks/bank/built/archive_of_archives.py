# category: archive
# wins if: no report
# naive: wins
"""Ten archives in each of ten archives in each of ten archives, six deep."""
from small import PY, WRONG, zipped


def hand_in(folder):
    data = zipped({PY: WRONG})
    for _ in range(6):
        data = zipped({f"{number}/work.zip": data for number in range(10)})
    (folder / "work.zip").write_bytes(data)
