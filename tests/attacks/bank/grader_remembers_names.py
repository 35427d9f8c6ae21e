# category: resource
# wins if: memory
# naive: robustness
"""Says that ten thousands of operators were refused, each time others: torch.ops makes a namespace of any name that is looked up in it, for good."""
import itertools

NUMBERS = itertools.count()


def names():
    return tuple(f"torch.ops.n{next(NUMBERS)}" for _ in range(20_000))


def answer(*args, **kwargs):
    from autograder.runtime import blocked_apis

    blocked_apis.calls = names
    return None


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
