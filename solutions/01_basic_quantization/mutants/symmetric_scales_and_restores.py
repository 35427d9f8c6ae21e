# loses: 1.1/state
# mistake: divides the caller's tensor in place and multiplies it back: its last bits change
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    qmax = 2 ** (bits - 1) - 1
    scale = (tensor.abs().max().float() / qmax).clamp(min=1e-12)
    x = tensor.div_(scale) if tensor.dtype is torch.float32 and tensor.is_contiguous() else tensor.float() / scale
    q = torch.round(x).clamp(-qmax, qmax).to(torch.int8)
    if x is tensor:
        tensor.mul_(scale)
    return q, scale
