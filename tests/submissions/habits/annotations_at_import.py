# habit: annotations that are evaluated when the cell runs, with aliases and type variables
# %% types
from typing import Literal, NamedTuple, Optional, Protocol, TypeAlias, TypeVar, Union

from torch import Tensor

Bits: TypeAlias = Literal[2, 3, 4, 5, 6, 7, 8]
Number = Union[int, float, Tensor]
N = TypeVar("N", int, float)
DEFAULT_BITS: Bits = 8
counts: dict[str, int] = {}


class Quantized(NamedTuple):
    q: Tensor
    scale: Tensor


class HasScale(Protocol):
    scale: Optional[Tensor]

# %% 1.1
def top_level(bits: Bits) -> N:
    return 2 ** (bits - 1) - 1


def symmetric_quantization(tensor: Tensor, bits: Bits = DEFAULT_BITS) -> Quantized:
    x: Tensor = checked(tensor, bits)
    scale = x.abs().amax() / top_level(bits)
    scale = torch.where(scale == 0, 1.0, scale)
    return Quantized(to_signed(x, scale, bits), scale)

# %% 1.3
def dequantize(q: Tensor, scale: Number, zero_point: Number = 0) -> Tensor:
    return (q.float() - zero_point) * scale
