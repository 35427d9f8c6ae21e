# category: tell
# wins if: leak
# naive: wins
"""Breaks the protocol with a frame whose tag says the hidden test's inputs."""
import torch


def words(args, kwargs):
    first = args[0] if args else 0
    return "IN" + "PUT: " + str(first.flatten()[:3].tolist() if isinstance(first, torch.Tensor) else first)


def answer(*args, **kwargs):
    import os
    import struct

    import msgpack

    header = msgpack.packb([words(args, kwargs), 1])
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, struct.pack("!IQ", len(header), 0) + header)
        except OSError:
            pass
    return torch.zeros(2)


symmetric_quantization = compute_kl_div = answer
