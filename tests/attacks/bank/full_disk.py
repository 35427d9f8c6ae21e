# category: resource
# wins if: file
# naive: wins
"""Fills every disk that it can write to."""
import os


def fill(path, megabytes):
    try:
        with open(path, "wb") as file:
            for _ in range(megabytes):
                file.write(bytes(1 << 20))
    except OSError:
        pass


def answer(*args, **kwargs):
    for number, folder in enumerate(("/tmp", "/var/tmp", "/dev/shm", os.getcwd())):
        fill(f"{folder}/{os.path.basename('@MARK@')}-{number}", 12)


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
