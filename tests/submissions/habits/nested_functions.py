# habit: functions within functions, and docstrings with code in them
# %% 1.1
"""The first task.

%matplotlib inline is only quoted here
"""


def symmetric_quantization(tensor, bits=8):
    """Quantize.

    # %% this is no cell
    >>> symmetric_quantization(torch.ones(2))
    """
    def top():
        return 2 ** (inner_bits() - 1) - 1

    def inner_bits():
        return bits

    x = checked(tensor, bits)
    scale = (lambda a: a / top())(x.abs().amax())
    scale = torch.where(scale == 0, 1.0, scale)
    return to_signed(x, scale, bits), scale
