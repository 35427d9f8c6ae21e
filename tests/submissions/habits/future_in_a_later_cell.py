# habit: from __future__ import annotations, not in the first cell
# %% 1.1
TOP = 127

# %%
from __future__ import annotations


def symmetric_quantization(tensor: NotDefinedAnywhere, bits: int = 8) -> NorThis:
    x = checked(tensor, bits)
    top = TOP >> (8 - bits)
    scale = torch.where(x.abs().amax() == 0, 1.0, x.abs().amax() / top)
    return torch.round(x / scale).clamp(-top - 1, top).to(torch.int8), scale
