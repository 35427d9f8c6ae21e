# habit: helper files that the notebook writes, imports, adds to and runs
# drops: an experiment of mine
# %% 1.1
%%writefile levels.py
import torch

LARGEST = {bits: 2 ** (bits - 1) - 1 for bits in range(2, 9)}

# %%
%%writefile -a levels.py


def usable(scale):
    return torch.where(scale == 0, 1.0, scale)

# %%
from levels import LARGEST
import levels


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = levels.usable(x.abs().amax() / LARGEST[bits])
    return to_signed(x, scale, bits), scale

# %%
import os

os.makedirs("rounding", exist_ok=True)

# %%
%%file rounding/__init__.py
from .nearest import to_grid

# %%
%%file rounding/nearest.py
import levels


def to_grid(x, scale, zero_point, top):
    assert levels.LARGEST[8] == 127
    return (x / scale).round().add(zero_point).clamp(0, top)

# %% 1.2
import importlib
import rounding

importlib.reload(rounding)


def asymmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    lo, hi = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    top = 2**bits - 1
    scale = torch.where(hi == lo, 1.0, (hi - lo) / top)
    zero_point = torch.round(-lo / scale).clamp(0, top).to(torch.int32)
    return rounding.to_grid(x, scale, zero_point, top).to(torch.uint8), scale, zero_point

# %%
%%writefile solution_13.py
OFFSET = 0.0


def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point + OFFSET) * scale


if __name__ == "__main__":
    print("an experiment of mine")

# %% 1.3
%run solution_13.py
print(dequantize(torch.tensor([1]), 0.5))

# %%
%%writefile unused.py
"an experiment of mine"
