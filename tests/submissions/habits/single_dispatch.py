# habit: functools.singledispatch with implementations registered later
# %% 1.3
from functools import singledispatch


@singledispatch
def offset(zero_point):
    raise TypeError(type(zero_point))


@offset.register
def _(zero_point: int):
    return zero_point


@offset.register(torch.Tensor)
def _(zero_point):
    return zero_point.float()


offset.register(float, lambda zero_point: zero_point)


def dequantize(q, scale, zero_point=0):
    return (q.float() - offset(zero_point)) * scale
