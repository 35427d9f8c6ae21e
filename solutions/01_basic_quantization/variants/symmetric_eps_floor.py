# variant of: 1.1
# differs: PyTorch's floor on tiny scales instead of a rule for zeros; clips at −2^(b−1)
FLOAT32_EPS = torch.finfo(torch.float32).eps


def symmetric_quantization(tensor, bits=8):
    if not isinstance(bits, int) or bits < 2 or bits > 8:
        raise ValueError("bits must be an integer in [2, 8]")
    if tensor.numel() == 0 or not bool(tensor.isfinite().all()):
        raise ValueError("tensor is empty or not finite")
    x = tensor.to(torch.float32)
    quant_max = (1 << (bits - 1)) - 1
    scale = torch.clamp(x.abs().amax() / quant_max, min=FLOAT32_EPS)
    return torch.clamp(torch.round(x / scale), -quant_max - 1, quant_max).to(torch.int8), scale
