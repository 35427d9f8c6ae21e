"""What CUDA would refuse, and where it would wait: the rules of the simulated device.

Which operations take a 0-dim CPU tensor, which exist on the CPU only and which wait for the device follows
`native_functions.yaml` and the CUDA sources of torch 2.13.

One thing that CUDA refuses is free: products of integer matrices. The contract has 2.4 and 3.2 computed "in integers,
or in
float64", so whoever does must not lose a point here; the notebooks say that on CUDA it takes float64 or
`torch._int_mm`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

DEVICE = torch.device("privateuseone", 0)  # prints as sim:0 once the backend has its name


class DeviceError(RuntimeError):
    """An operation that CUDA would refuse was tried on the simulated device, or there is no such device."""


# Checked argument by argument in CUDA's wrappers, so not even a 0-dim CPU tensor may join.
EXACT = frozenset(
    [
        "_cdist_forward",
        "_embedding_bag",
        "_int_mm",
        "_linalg_solve_ex",
        "_prelu_kernel",
        "_weight_int8pack_mm",
        "addbmm",
        "addmm",
        "addmv",
        "addr",
        "baddbmm",
        "bincount",
        "bmm",
        "bucketize",
        "cat",
        "complex",
        "convolution_overrideable",
        "dot",
        "embedding",
        "equal",
        "gather",
        "gcd",
        "huber_loss",
        "index_add",
        "index_copy",
        "index_reduce",
        "index_select",
        "isin",
        "lcm",
        "linalg_solve_triangular",
        "logaddexp",
        "logaddexp2",
        "masked_scatter",
        "masked_select",
        "mm",
        "native_batch_norm",
        "native_group_norm",
        "native_layer_norm",
        "nextafter",
        "nll_loss2d_forward",
        "nll_loss_forward",
        "polar",
        "put",
        "scatter",
        "scatter_add",
        "scatter_reduce",
        "searchsorted",
        "stack",
        "take",
        "vdot",
    ]
)
_CPU_ONLY = {
    "histogram": "torch.histc",
    "_histogramdd_bin_edges": "torch.histc",
    "_histogramdd_from_bin_cts": "torch.histc",
    "_histogramdd_from_bin_tensors": "torch.histc",
    "_add_relu": "torch.add and torch.relu",
    "_spdiags": "torch.diag_embed",
    "to_mkldnn": "a dense tensor",
}
WAITS = frozenset(  # the shape of the result depends on values, or the result is a Python value
    [
        "_local_scalar_dense",
        "_unique",
        "_unique2",
        "bincount",
        "equal",
        "is_nonzero",
        "masked_select",
        "nonzero",
        "repeat_interleave",
        "unique_consecutive",
        "unique_dim",
        "unique_dim_consecutive",
    ]
)


def refuse_mixed(name: str, other: torch.device) -> DeviceError:
    """Return the error of CUDA for tensors on several devices."""
    return DeviceError(
        "Expected all tensors to be on the same device, but found at least two devices, "
        f"{DEVICE} and {other}! "
        f"(in aten::{name}; {DEVICE} is the simulated device, which behaves as cuda:0 would: "
        "create tensors with device=x.device)"
    )


def _check_cpu_only(name: str, _: list[torch.Tensor]) -> None:
    raise DeviceError(
        f"aten::{name} runs on the CPU only: CUDA has no kernel for it "
        f"(the simulated device behaves as cuda:0 would); use {_CPU_ONLY[name]}"
    )


CHECKS: dict[str, Callable[[str, list[torch.Tensor]], None]] = {
    **dict.fromkeys(_CPU_ONLY, _check_cpu_only),
}
