# category: network and IPC
# wins if: message
# naive: wins
"""Connects to a Unix socket that has a name but no file."""
import os
import socket


def answer(*args, **kwargs):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0@SOCKET@")
        connection.send(b"inputs")


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
