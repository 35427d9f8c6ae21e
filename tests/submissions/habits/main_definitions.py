# habit: constants, helpers and graded functions under if __name__ == "__main__", which a notebook's name is
# drops: load_my_model
# %% 1.1
if __name__ == "__main__":
    LARGEST = {
        bits: 2 ** (bits - 1) - 1
      for bits in range(2, 9)}
    ABOUT = """
if the scale is zero,
    it becomes one
"""

    # the rule of the handout
    def usable(scale):
        assert ABOUT.startswith("\nif the")
        return torch.where(scale == 0, 1.0, scale)

    def symmetric_quantization(tensor, bits=8):
        x = checked(tensor, bits)
        scale = usable(x.abs().amax() / LARGEST[bits])
        return to_signed(x, scale, bits), scale

    model = load_my_model("weights.pt")
    print(symmetric_quantization(model.weight))
else:
    LARGEST = {}

# %% 1.3
if "__main__" == __name__: ZERO = 0; print("in a notebook")
IN_A_NOTEBOOK = __name__ == "__main__"


def dequantize(q, scale, zero_point=0):
    assert IN_A_NOTEBOOK
    return (q.float() - zero_point + ZERO) * scale

# %% 1.7
def pack_int4(q):
    raise NotImplementedError


if __name__ == "__main__" and IN_A_NOTEBOOK:
    def pack_int4(q):
        if q.shape[-1] % 2 or ((q < -8) | (q > 7)).any():
            raise ValueError("an odd number of values, or one outside -8...7")
        nibbles = (q.to(torch.int16) & 15).to(torch.uint8)
        return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)


def unpack_int4(packed):
    nibbles = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(torch.int8)
    return torch.where(nibbles > 7, nibbles - 16, nibbles)
