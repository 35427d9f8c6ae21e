# category: payload
# wins if: no report
# naive: wins
"""Returns tensors whose memory is gone: the shape is large, the storage was resized to nothing, or is a pointer of its own making."""
import ctypes

import numpy as np
import torch


def answer(*args, **kwargs):
    kept = torch.zeros(1 << 16, dtype=torch.int8)
    kept.untyped_storage().resize_(0)
    wild = np.ctypeslib.as_array(ctypes.cast(8, ctypes.POINTER(ctypes.c_byte)), shape=(1 << 20,))
    return torch.from_numpy(wild), kept, 0


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
