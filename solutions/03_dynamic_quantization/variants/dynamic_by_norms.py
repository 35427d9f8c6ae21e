# variant of: 3.1
# differs: infinity norms, PyTorch's floor on tiny scales, the inverse of the scale
GRANULARITIES = {"per_token": {"dim": -1, "keepdim": True}, "per_tensor": {}}


def dynamic_quantize(x, bits=8, granularity="per_token"):
    if not isinstance(bits, int) or bits < 2 or bits > 8:
        raise ValueError(f"unsupported bits {bits}")
    if granularity not in GRANULARITIES:
        raise ValueError(f"unsupported granularity {granularity}")
    x = x.to(torch.float32)
    levels = (1 << (bits - 1)) - 1
    amax = torch.linalg.vector_norm(x, ord=math.inf, **GRANULARITIES[granularity])
    scale = torch.clamp(amax / levels, min=torch.finfo(torch.float32).eps)
    return torch.clamp(torch.round(x * scale.reciprocal()), -levels - 1, levels).type(torch.int8), scale
