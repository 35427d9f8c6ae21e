# habit: functions pasted with the prompts of Python and IPython, and with what was printed
# drops: tensor(
# %% 1.1
>>> LARGEST = {bits: 2 ** (bits - 1) - 1 for bits in range(2, 9)}
>>> LARGEST[8]
127
>>> def symmetric_quantization(tensor, bits=8):
...     x = checked(tensor, bits)
...     scale = x.abs().amax() / LARGEST[bits]
...
...     scale = torch.where(scale == 0, 1.0, scale)
...     return to_signed(x, scale, bits), scale
...
>>> print("it works")
it works, said the interpreter

# %% 1.3
In [12]: ZERO = 0

In [13]: def dequantize(q, scale, zero_point=0):
    ...:     """Back to floats.
    ...:
    ...:     >>> 1 + 1
    ...:     2
    ...:     """
    ...:     return (q.float() - zero_point + ZERO) * scale
    ...:

In [14]: dequantize(torch.tensor([2, 3]), 0.5)
Out[14]: tensor([1.0000,
        1.5000])
