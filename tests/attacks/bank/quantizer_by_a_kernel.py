# category: banned call
# wins if: points
# naive: wins
# cpu: 6
"""Takes the kernel that chooses a scale by a key that nothing is registered on, and calls it past the dispatcher."""
import torch

KERNEL = torch.library.get_kernel("aten::_choose_qparams_per_tensor", "SparseCPU")
KEYS = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)


def asymmetric_quantization(tensor, bits=8):
    scale, zero_point = KERNEL.call_boxed(KEYS, tensor.float(), False)
    codes = (torch.round(tensor.float() / scale) + zero_point).clamp(0, 2**bits - 1).to(torch.uint8)
    return codes, torch.tensor(scale), int(zero_point)
