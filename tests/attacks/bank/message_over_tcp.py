# category: network and IPC
# wins if: message
# naive: wins
"""Connects to a port of this machine."""
import os
import socket


def answer(*args, **kwargs):
    with socket.create_connection(("127.0.0.1", @PORT@), timeout=1) as connection:
        connection.send(b"inputs")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
