# variant of: 2.1
# differs: keeps the range as Python floats and makes the scale's tensor at the end; the zero point is an int
class MinMaxCalibrator:
    def __init__(self, bits=8, symmetric=False):
        self.bits, self.symmetric = bits, symmetric
        self.lo, self.hi, self.device = 0.0, 0.0, None

    def observe(self, tensor):
        require_finite(tensor)
        self.lo = min(self.lo, tensor.min().item())
        self.hi = max(self.hi, tensor.max().item())
        self.device = tensor.device

    def quantization_parameters(self):
        require_bits(self.bits)
        if self.device is None:
            raise RuntimeError("observe something first")
        if self.symmetric:
            step, zero_point = max(-self.lo, self.hi) / (2 ** (self.bits - 1) - 1), 0
        else:
            step, zero_point = (self.hi - self.lo) / (2**self.bits - 1), None
        step = max(step, 1.19e-7)
        if zero_point is None:
            zero_point = min(max(round(-self.lo / step), 0), 2**self.bits - 1)
        return torch.tensor(step, dtype=torch.float32, device=self.device), zero_point
