# habit: methods that a decorator of one's own adds to the class that the annotation names
# drops: of an experiment
# %% 1.4
import functools
import typing


def patch(function):
    cls = next(iter(function.__annotations__.values()))
    setattr(cls, function.__name__, function)
    return function


def patch_to(*, as_property=False):
    def add(function):
        cls = typing.get_type_hints(function)["self"]
        setattr(cls, function.__name__, property(function) if as_property else function)

    return add


def timed(function):
    @functools.wraps(function)
    def run(*args, **kwargs):
        return function(*args, **kwargs)

    return run


class BasicQuantizer:
    def __init__(self, bits=8, symmetric=True):
        self.bits, self.symmetric = bits, symmetric
        self.scale, self.zero_point = None, 0

# %%
@patch
def calibrate(self: BasicQuantizer, data):
    if self.symmetric:
        _, self.scale = symmetric_quantization(data, self.bits)
    else:
        _, self.scale, self.zero_point = asymmetric_quantization(data, self.bits)

# %%
@patch_to(as_property=True)
def ready(self: "BasicQuantizer"):
    if self.scale is None:
        raise RuntimeError("calibrate first")
    return True

# %%
@patch_to()
def quantize(self: BasicQuantizer, tensor):
    assert self.ready
    x = tensor.detach().float()
    if self.symmetric:
        return to_signed(x, self.scale, self.bits)
    return (torch.round(x / self.scale) + self.zero_point).clamp(0, 2**self.bits - 1).to(torch.uint8)

# %%
def _dequantize(self, q_tensor):
    assert self.ready
    return (q_tensor.float() - self.zero_point) * self.scale


list(map(lambda named: setattr(BasicQuantizer, *named), [("dequantize", _dequantize)]))

# %%
@timed
def compare(quantizer: BasicQuantizer, data):
    return quantizer.calibrate(data), DATA_OF_AN_EXPERIMENT


DATA_OF_AN_EXPERIMENT = load("of an experiment")
