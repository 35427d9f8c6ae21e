# habit: cell magics that only an extension knows, and a class that is written over several cells
# notes: Cell 2 begins with %%my_timer (line 1): the rest of it is taken as Python.
# notes: Cell 3 begins with %%javascript, which is no Python (line 1): what it defines is not graded.
# drops: alert
# %% 1.1
%%my_timer --report
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale

# %%
%%javascript
alert("done");

# %% 1.4
class BasicQuantizer:
    """A quantizer in several cells."""

    def __init__(self, bits=8, symmetric=True):
        self.bits, self.symmetric = bits, symmetric
        self.scale, self.zero_point = None, 0

# %%
%%add_to BasicQuantizer
def calibrate(self, data):
    text = """
if symmetric:
"""
    assert text == "\nif symmetric:\n"
    if self.symmetric:
        _, self.scale = symmetric_quantization(data, self.bits)
    else:
        _, self.scale, self.zero_point = asymmetric_quantization(
data, self.bits)

# %%
%%add_to BasicQuantizer
# both of them

def quantize(self, tensor):
    if self.scale is None:
        raise RuntimeError("calibrate first")
    x = tensor.detach().float()
    if self.symmetric:
        return to_signed(x, self.scale, self.bits)
    return (torch.round(x / self.scale) + self.zero_point).clamp(0, 2**self.bits - 1).to(torch.uint8)


def dequantize(self, q_tensor):
    if self.scale is None:
        raise RuntimeError("calibrate first")
    return dequantize(q_tensor, self.scale, self.zero_point)
