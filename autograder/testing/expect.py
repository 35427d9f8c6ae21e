"""Assertions that say what a wrong answer looks like.

A test calls these on what came back from the student. Nothing about a value is believed before its exact
type, dtype and shape were checked, and every comparison is written so that NaN fails it. A failure is a
`MismatchError`: its `words` hold no value of the test's data, so a hidden test may show them; its `values` do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from autograder.runtime.errors import message_of
from autograder.runtime.simulated import device as simulated

if TYPE_CHECKING:
    from autograder.testing.proxy import Student

TIE = 1e-4  # how near to a tie x / scale may lie for both neighbours to be right: kernels disagree there
SCALE_RTOL = 1e-5  # float32 gives 2e-7; half precision 5e-4; amax / 128 instead of / 127 gives 8e-3
HALF_RTOL = 1e-2  # what float16 and bfloat16 arithmetic stays within
FLOORS = (1e-2, 2.0**-7, 1e-3, 2.0**-10, 1e-4, 1e-5, 1e-6)  # too high for a scale; two are a dtype's eps
SHARE_PER_STEP = 4  # one device step for every four elements, or more, is a loop over elements

Lookalikes = Mapping[str, Tensor | float]
"""What wrong answers give, by what to say of them: {"equals amax / 128; …": amax / 128}."""


class MismatchError(AssertionError):
    """A wrong answer: `words` (free of values) and `values` (what was got and expected)."""

    def __init__(self, words: str, values: str = "") -> None:
        self.words, self.values = words, values
        super().__init__(f"{words} [{values}]" if values else words)


def results(value: object, *names: str) -> Sequence[Any]:
    """The parts of a returned tuple or list, as many as there are names."""
    wanted = f"expected {len(names)} values: ({', '.join(names)})"
    if type(value) is not tuple and type(value) is not list:
        raise MismatchError(f"returned {_kind(value)}; {wanted}")
    if len(value) != len(names):
        raise MismatchError(f"returned {len(value)} values; {wanted}")
    return value


def codes_first(q: object, scale: object) -> None:
    """Name results that came in the wrong order: floats first, integers second."""
    if isinstance(q, Tensor) and isinstance(scale, Tensor):
        swapped = q.dtype.is_floating_point and not scale.dtype.is_floating_point
        that(not swapped, "q and scale are swapped: the first result holds floats, the second one integers")


def tensor(
    value: object,
    name: str,
    *,
    dtype: torch.dtype | None = None,
    shape: Sequence[int] | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """A torch.Tensor of that dtype, shape and device; returned on the CPU, for the test to compute with."""
    if not isinstance(value, Tensor) or not (type(value) is Tensor or simulated.is_simulated(value)):
        raise MismatchError(f"{name} is {_kind(value)}; expected a torch.Tensor")
    if dtype is not None and value.dtype != dtype:
        uncompressed = value.dtype.is_floating_point and not dtype.is_floating_point
        found = f"still {_dtype(value.dtype)}: nothing is compressed" if uncompressed else _dtype(value.dtype)
        raise MismatchError(f"{name} is {found}; expected {_dtype(dtype)}")
    if shape is not None and tuple(value.shape) != tuple(shape):
        sizes = f"{list(value.shape)}, expected {list(shape)}"
        raise MismatchError(f"{name} {_shape_words(value.shape, shape)}", sizes)
    if device is not None and value.device != device:
        raise MismatchError(f"{name} lives on {value.device}; the input lives on {device}, and so must the result")
    return simulated.to_host(value)


def number(value: object, name: str) -> float:
    """A float, or a 0-dim floating-point tensor."""
    if type(value) is float or type(value) is int:
        return float(value)
    if not isinstance(value, Tensor):
        raise MismatchError(f"{name} is {_kind(value)}; expected a float or a 0-dim tensor")
    found = tensor(value, name, shape=())
    if not found.dtype.is_floating_point:
        raise MismatchError(f"{name} is {_dtype(found.dtype)}; expected a float")
    return float(found)


def integer(value: object, name: str) -> int:
    """An int, or a 0-dim integer tensor."""
    if type(value) is int:
        return value
    if not isinstance(value, Tensor):
        raise MismatchError(f"{name} is {_kind(value)}; expected an int or a 0-dim integer tensor")
    found = tensor(value, name, shape=())
    if found.dtype.is_floating_point or found.dtype == torch.bool:
        raise MismatchError(f"{name} is {_dtype(found.dtype)}; expected an integer: codes move by whole levels")
    return int(found)


def that(holds: bool, words: str, values: str = "") -> None:
    """A plain claim of a test's own, in words."""
    if not holds:
        raise MismatchError(words, values)


def close(
    got: Tensor | float,
    want: Tensor | float,
    name: str,
    *,
    rtol: float = SCALE_RTOL,
    atol: float = 0.0,
    lookalikes: Lookalikes | None = None,
) -> None:
    """|got − want| ≤ atol + rtol·|want| everywhere; `got` was checked by `tensor` or `number` before."""
    found, wanted = _wide(got), _wide(want)
    wrong = ~_near(found, wanted, rtol, atol)
    if not wrong.any():
        return
    at = tuple(int(i) for i in wrong.nonzero()[0])
    values = f"{f'at {list(at)}: ' if at else ''}{float(found[at]):.6g}, expected {float(wanted[at]):.6g}"
    for words, lookalike in (lookalikes or {}).items():
        other = _wide(lookalike)
        if other.shape == found.shape and _near(found, other, rtol, atol).all():
            raise MismatchError(f"{name} {words}", values)
    if not torch.isfinite(found).all():
        odd = "NaN" if torch.isnan(found).any() else "infinity"
        raise MismatchError(f"{name} {'holds' if at else 'is'} {odd}", values)
    if _near(found, wanted, HALF_RTOL, atol).all():
        raise MismatchError(f"{name} is less than 1 % off, and not equal: a step of the computation differs", values)
    raise MismatchError(f"{name} {'holds unexpected values' if at else 'is not the expected value'}", values)


def usable_scale(value: object, shape: Sequence[int] = ()) -> Tensor:
    """A float32 scale of that shape, finite and positive: what all-zero data needs (its value is free)."""
    scale = tensor(value, "scale", dtype=torch.float32, shape=shape)
    if not ((scale > 0) & (scale < math.inf)).all():
        zero = "is 0 where the data is all zero: x / scale is NaN there"
        raise MismatchError(f"scale {zero if (scale == 0).any() else 'is not finite and positive'}")
    return scale


def symmetric_scale(value: object, amax: Tensor, bits: int, lookalikes: Lookalikes | None = None) -> Tensor:
    """A float32 scale shaped like `amax`, the largest |x| of each part: amax / (2^(bits−1) − 1)."""
    scale = tensor(value, "scale", dtype=torch.float32, shape=amax.shape)
    wide, top = amax.double(), 2 ** (bits - 1) - 1
    known: dict[str, Tensor | float] = {
        **(lookalikes or {}),
        f"equals amax / {top + 1}; the largest level is {top}": wide / (top + 1),
        f"equals amax / {top + 0.5}; the largest level is {top}": wide / (top + 0.5),
        f"equals amax / {2 * top + 1}, the unsigned range; the largest level is {top}": wide / (2 * top + 1),
        "equals amax / 127 whatever bits is": wide / 127,
        f"is upside down: it equals {top} / amax": top / wide,
        "equals amax: it is not yet divided by the largest level": wide,
        "is the same everywhere: one scale for the whole tensor": (wide.amax() / top).expand(wide.shape),
        "is 1, as a guard makes it for data that is all zero; this data is not": torch.ones_like(wide),
        **{_floor_words(floor): (wide / top).clamp(min=floor) for floor in FLOORS},
    }
    close(scale, wide / top, "scale", lookalikes=known)
    return scale


def asymmetric_scale(value: object, lo: float, hi: float, bits: int) -> Tensor:
    """A 0-dim float32 scale: the data's range `lo` … `hi`, widened to contain 0, over 2^bits − 1 steps."""
    scale = tensor(value, "scale", dtype=torch.float32, shape=())
    steps, width, amax = 2**bits - 1, max(hi, 0.0) - min(lo, 0.0), max(abs(lo), abs(hi))
    known: Lookalikes = {
        f"equals (hi − lo) / {steps + 1}; {steps + 1} levels are {steps} steps apart": width / (steps + 1),
        "leaves 0 out of the range: lo = min(x.min(), 0) and hi = max(x.max(), 0)": (hi - lo) / steps,
        "equals (hi − lo) / 255 whatever bits is": width / 255,
        "equals 2·amax over the steps, the symmetric range": 2 * amax / steps,
        "equals the symmetric scale": amax / (steps // 2),
        "leaves out the negative part of the range": hi / steps,
        "is 1, as a guard makes it for data that is all zero; this data is not": 1.0,
        **{_floor_words(floor): max(width / steps, floor) for floor in FLOORS},
    }
    close(scale, width / steps, "scale", lookalikes=known)
    return scale


def zero_point(value: object, lo: float, scale: Tensor, bits: int) -> int:
    """The integer that stands for 0: −lo / scale, rounded (either way at a tie), in 0 … 2^bits − 1."""
    found, ratio = integer(value, "zero point"), -min(lo, 0.0) / float(scale)
    values = f"{found}, −lo / scale = {ratio:.6g}"
    if not 0 <= found <= 2**bits - 1:
        raise MismatchError(f"zero point lies outside 0…{2**bits - 1}", values)
    if abs(found - ratio) <= 0.5 + TIE:
        return found
    if found == 0:
        raise MismatchError("zero point is 0, although lo is below 0: the real 0 is not the lowest value here", values)
    if found == int(ratio):
        raise MismatchError("zero point is truncated; it is the integer nearest to −lo / scale", values)
    raise MismatchError("zero point is not round(−lo / scale)", values)


class _Case(NamedTuple):
    """What codes are judged by."""

    ratio: Tensor  # x / scale, float64
    zero_point: Tensor  # int64, broadcastable to ratio
    lo: int
    hi: int

    def place(self, levels: Tensor) -> Tensor:
        """Codes for whole levels: shifted by the zero point, saturated."""
        return (levels.long() + self.zero_point).clamp(self.lo, self.hi)

    def near_tie(self) -> Tensor:
        """Where both neighbours are right."""
        return (self.ratio - self.ratio.floor() - 0.5).abs() <= TIE


def codes(
    value: object,
    x: Tensor,
    scale: Tensor,
    zero_point: Tensor | int = 0,
    *,
    bits: int = 8,
    signed: bool = True,
    lookalikes: Lookalikes | None = None,
) -> Tensor:
    """Stored integers for x: round(x / scale) + zero point, saturated; scale and zero point broadcast to x.

    int8 when signed, else uint8. Within 1e-4 of a tie both neighbours are right; as the lowest signed level
    −2^(bits−1) and −2^(bits−1) + 1 are equally right.
    """
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    q = tensor(value, "q", dtype=torch.int8 if signed else torch.uint8, shape=x.shape).long()
    case = _Case(x.double() / scale.double(), torch.as_tensor(zero_point).long(), lo, hi)
    floor, nearest, tie = case.ratio.floor(), case.ratio.round(), case.near_tie()
    least = case.place(torch.where(tie, floor, nearest))
    most = case.place(torch.where(tie, floor + 1, nearest)).clamp(min=lo + signed)
    wrong = ~((least <= q) & (q <= most))
    if wrong.any():
        at = tuple(int(i) for i in wrong.nonzero()[0])
        level = f"x / scale = {float(case.ratio[at]):.6g}"
        values = f"q{list(at)} is {int(q[at])}, expected {int(least[at])}: {level}"
        raise MismatchError(f"q {_code_words(q, case, lookalikes or {})}", values)
    return q


def _code_words(q: Tensor, case: _Case, lookalikes: Lookalikes) -> str:
    """What wrong codes look like."""
    nearest, first = case.ratio.round().long(), -128 if case.lo < 0 else 0
    known: dict[str, Tensor | float] = {
        **lookalikes,
        "wrapped around instead of saturating: clamp before converting": (
            (nearest + case.zero_point - first) % 256 + first
        ),
        "is truncated toward zero instead of rounded to the nearest level": case.place(case.ratio.trunc()),
        "is rounded down instead of to the nearest level": case.place(case.ratio.floor()),
        "is rounded up instead of to the nearest level": case.place(case.ratio.ceil()),
        "lacks the zero point": nearest.clamp(case.lo, case.hi),
        "has the zero point subtracted; quantizing adds it": ((nearest - case.zero_point).clamp(case.lo, case.hi)),
        "has lost its signs": case.place(nearest.abs()),
    }
    for words, lookalike in known.items():
        other = torch.as_tensor(lookalike)
        if other.shape == q.shape and ((q - other).abs() <= case.near_tie()).all():
            return words
    wanted = case.place(nearest)
    if (q == q.flatten()[0]).all() and not (wanted == wanted.flatten()[0]).all():
        return "has the same code everywhere"
    if not ((case.lo <= q) & (q <= case.hi)).all():
        return f"goes beyond {case.lo}…{case.hi}, the levels there are"
    if ((q - case.place(nearest)).abs() <= 1).all():
        return "is one level off in places that are no ties: x / scale is not exact enough, or not rounded to nearest"
    return "is not round(x / scale)" + (" + zero point" if case.zero_point.any() else "")


def raises(error: type[Exception], call: Callable[[], object], *, because: str, named: bool = False) -> None:
    """The call is refused with that error; `because` is what is wrong with it. `named`: the error has a text."""
    try:
        call()
    except NotImplementedError:  # a RuntimeError to Python; to us: not written yet
        raise
    except error as raised:
        words = message_of(raised)
        if named and not (words.named if words else str(raised).strip()):
            raise MismatchError(f"{because}: the {error.__name__} has no text; it must name the problem") from None
    except Exception as other:
        if type(other).__module__ != "builtins":  # not written yet, timed out, …: the suite's own business
            raise
        raise MismatchError(f"{because}: raised {type(other).__name__}; expected {error.__name__}") from other
    else:
        raise MismatchError(f"{because}, and no error was raised; expected {error.__name__}")


def inputs_unchanged(student: Student) -> None:
    """The last call left its arguments as they were."""
    call = student.last_call
    if call is not None and call.mutated:
        raise MismatchError(f"the input was changed in place ({', '.join(call.mutated)}); work on a copy")


def device_call(function: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """What `function` returns; what fails because tensors live on a device is said in words."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        raise
    except (TypeError, RuntimeError) as error:
        text = str(error).lower()
        if "numpy" in text:
            raise MismatchError("the data went through NumPy, which takes CPU tensors only: stay in torch") from error
        if "same device" in text:
            raise MismatchError("tensors on two devices met: create new ones where the input lives") from error
        if "device" in text:
            raise MismatchError("an operation works on the CPU only; use one that devices have, too") from error
        raise


def on_device(student: Student, x: Tensor, **found: object) -> None:
    """What the last call returned lives where `x` lives, and it took far fewer steps than `x` has elements.

    A few synchronisations and a loop over channels or groups are fine: give `x` many elements in each.
    Python numbers live nowhere, and are fine too. Steps are counted on the simulated device only.
    """
    for name, value in found.items():
        if type(value) is not int and type(value) is not float:
            tensor(value, name.replace("_", " "), device=x.device)
    call, limit = student.last_call, x.numel() // SHARE_PER_STEP
    if call is None:
        return
    if call.moved_elements > limit:
        raise MismatchError("the data was moved to the CPU; compute where the input lives")
    if call.syncs > limit:
        raise MismatchError("the CPU waited for the device about once an element; use whole-tensor operations")
    if call.device_ops > limit:
        raise MismatchError("about one operation an element: a Python loop; use whole-tensor operations")


def layouts(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """(what it is, a view) for views shaped like x, as daily code hands them on; none is contiguous in two dimensions.

    Three dimensions tell more than two: a transposed matrix can be seen as one row of each, a permuted block can't.
    The last view has its first part everywhere: compare with `view.contiguous()`, never with x.
    """
    backwards = tuple(reversed(range(x.dim())))
    yield "a transposed tensor", x.permute(backwards).contiguous().permute(backwards)
    width = x.shape[-1]
    larger = torch.cat([x.repeat_interleave(2, dim=-1), x[..., :1]], dim=-1)
    yield "a slice of a larger tensor", larger[..., : 2 * width : 2]
    yield "an expanded tensor", x[:1].expand(x.shape)


def layout_call(function: Callable[..., Any], *args: object, what: str, **kwargs: object) -> Any:
    """What `function` returns for a view; what fails because of its layout is said in words, `what` is the view."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError) as error:
        text = str(error).lower()
        if "view size" in text or "contiguous" in text:
            words = f"{what} is refused: `view` needs one block of memory; `reshape` and `flatten` do not"
            raise MismatchError(words) from error
        raise


def _kind(value: object) -> str:
    """What a value is, in words; the name may be hostile, so only a short and plain part of it is shown."""
    if value is None:
        return "None"
    named = getattr(value, "type_name", None)  # of a handle: an object that stayed with the student
    name = named if type(named) is str else "method" if callable(value) else type(value).__name__
    name = "torch.Tensor" if type(value) is Tensor else name
    plain = "".join(c for c in name[:60] if c.isalnum() or c in "._ (),")
    return f"{'an' if plain[:1].lower() in tuple('aeiou') else 'a'} {plain}"


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _floor_words(floor: float) -> str:
    return f"stops at {floor:.3g}, a floor on tiny scales that ordinary small data must not reach"


def _shape_words(got: Sequence[int], want: Sequence[int]) -> str:
    """How a shape is wrong, without its sizes."""
    kept_got, kept_want = [n for n in got if n != 1], [n for n in want if n != 1]
    if not kept_got and kept_want:
        return "has a single value; expected one for each part"
    if len(got) == len(want):
        if len(kept_want) == 1 and all(min(pair) == 1 for pair in zip(got, want, strict=True)):
            return "is shaped for another axis: a dimension that should stay is reduced, and another one kept"
        return "has the wrong shape"
    words = f"has {len(got)} dimension{'s' * (len(got) != 1)}; expected {len(want)}"
    if kept_got != kept_want:
        return words
    return f"{words}: {'reduced dimensions stay,' if len(got) < len(want) else 'drop those'} with length 1"


def _wide(value: Tensor | float) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def _near(got: Tensor, want: Tensor, rtol: float, atol: float) -> Tensor:
    small = (got - want).abs() <= atol + rtol * want.abs()  # NaN is near nothing
    return (got == want) | (small & torch.isfinite(want))  # and only infinity is near infinity
