# category: read
# wins if: leak
# naive: wins
"""Looks for what others have handed in, and tells it."""
import pathlib
import sys


def answer(*args, **kwargs):
    for entry in [".", "/tmp", *sys.path]:
        place = pathlib.Path(entry).resolve()
        for file in [*place.glob("other*.py"), *place.parent.glob("*/submission.py"), *place.glob("*/submissions/*.py")]:
            try:
                text = file.read_text()
            except OSError:
                continue
            if "another student's" + " work" in text or "# categ" + "ory: " in text:
                raise ValueError("LE" + "AK: " + text[:200])
    raise ValueError("alone")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
