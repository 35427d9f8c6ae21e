# loses: 1.1/errors
# mistake: looks for NaN and lets infinities through
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    if tensor.numel() == 0 or torch.isnan(tensor).any():
        raise ValueError("the tensor is empty or holds NaN")
    x = tensor.float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    return torch.round(x / scale).clamp(-qmax - 1, qmax).to(torch.int8), scale
