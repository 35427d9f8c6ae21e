# variant of: 1.5
# differs: amax over all dimensions but one; PyTorch's floor on tiny scales; narrow range
def per_channel_quantization(tensor, bits=8, axis=0):
    require_bits(bits)
    if tensor.numel() == 0:
        raise ValueError("empty tensor")
    x = tensor.to(torch.float32)
    axis = axis + x.ndim if axis < 0 else axis
    reduced = tuple(d for d in range(x.ndim) if d != axis)
    amax = x.abs().amax(dim=reduced, keepdim=True) if reduced else x.abs()
    if not torch.isfinite(amax).all():
        raise ValueError("some channels hold NaN or infinity")
    qmax = 2 ** (bits - 1) - 1
    scale = (amax / qmax).clamp(min=torch.finfo(torch.float32).eps)
    return x.div(scale).round().clamp(-qmax, qmax).to(torch.int8), scale
