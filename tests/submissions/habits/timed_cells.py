# habit: %%time, %%capture and %time around what is graded
# drops: perf_of
# %% 1.1
%%time
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale

# %% 1.3
%%capture captured
%%time

def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point) * scale

# %% 1.7
%time SIGN_BIT = 2**3
%timeit -n1 -r1 perf_of(SIGN_BIT)
def pack_int4(q):
    if q.shape[-1] % 2 or ((q < -SIGN_BIT) | (q >= SIGN_BIT)).any():
        raise ValueError("an odd number of values, or one outside -8...7")
    nibbles = (q.to(torch.int16) & 15).to(torch.uint8)
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)


def unpack_int4(packed):
    nibbles = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(torch.int8)
    return (nibbles ^ SIGN_BIT) - SIGN_BIT
