# category: archive
# wins if: no report
# naive: wins
"""A tar of a few kilobytes with a sparse member that claims to hold terabytes, most of it holes."""
import io
import tarfile

from small import PY, WRONG


def hand_in(folder):
    entry = tarfile.TarInfo(PY)
    entry.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(1 << 42),
                         "GNU.sparse.realsize": str(1 << 42), "GNU.sparse.map": f"0,16,{(1 << 42) - 16},16"}
    entry.size = 32
    with tarfile.open(folder / "handed_in.tar", "w", format=tarfile.PAX_FORMAT) as bundle:
        bundle.addfile(entry, io.BytesIO(WRONG.encode()[:32]))
