# category: resource
# wins if: process
# naive: wins
"""Starts other programs that outlive the grading."""
import subprocess
import sys


def answer(*args, **kwargs):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], start_new_session=True)
    subprocess.Popen(["/bin/sleep", "30"], start_new_session=True)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
