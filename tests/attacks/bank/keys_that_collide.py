# category: resource
# wins if: no report
# naive: robustness
# cpu: 0.3
"""Answers with a dict of 49,000 keys of one and the same hash: whoever makes a dict of them compares each with each, for half a minute."""
import fcntl
import os
import stat
import struct

import msgpack

SAME_HASH = 2**61 - 1


def pipes():
    found = []
    for descriptor in range(3, 256):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                found.append(descriptor)
        except OSError:
            pass
    return [fd for fd in found if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY]


def answer(*args, **kwargs):
    value = ["d", [[["i", f"{number * SAME_HASH:x}"], 0] for number in range(5, 49_000)]]
    facts = ["d", [["mutated", ["t", []]], ["syncs", 0], ["device_ops", 0], ["moved_elements", 0], ["refused", ["t", []]]]]
    reply = ["d", [["id", 2], ["value", value], ["failure", None], ["facts", facts]]]
    header = msgpack.packb(reply)
    data = struct.pack("!IQ", len(header), 0) + header
    for descriptor in pipes():
        os.write(descriptor, data)
    return None


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
