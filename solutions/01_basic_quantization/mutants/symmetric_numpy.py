# loses: 1.1/extremes 1.1/inputs
# mistake: goes through NumPy, which a tensor on a device cannot
import numpy as np


def symmetric_quantization(tensor, bits=8):
    require_bits(bits)
    require_finite(tensor)
    x = tensor.float().numpy()
    qmax = 2 ** (bits - 1) - 1
    scale = np.abs(x).max() / qmax or 1.0
    q = np.clip(np.round(x / scale), -qmax, qmax).astype(np.int8)
    return torch.from_numpy(q), torch.tensor(float(scale))
