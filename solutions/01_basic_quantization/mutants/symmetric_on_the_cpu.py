# loses: 1.1/inputs
# mistake: moves the data to the CPU, works there, and moves the codes back
def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.cpu().float()
    qmax = 2 ** (bits - 1) - 1
    scale = (x.abs().max() / qmax).clamp(min=1e-12)
    q = torch.round(x / scale).clamp(-qmax, qmax).to(torch.int8)
    return q.to(tensor.device), scale.to(tensor.device)
