# variant of: 2.1
# differs: collects each tensor's extremes in a list, and works in float64; the scale has one dimension
class MinMaxCalibrator:
    def __init__(self, bits=8, symmetric=False):
        require_bits(bits)
        self.bits, self.symmetric, self.seen = bits, symmetric, []

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().double()
        self.seen.append(torch.stack([x.amin(), x.amax()]))

    def quantization_parameters(self):
        if not self.seen:
            raise RuntimeError("observe something first")
        ends = torch.stack([*self.seen, torch.zeros_like(self.seen[0])])
        lo, hi = ends.amin(), ends.amax()
        if self.symmetric:
            scale, zero_point = ends.abs().amax() / (2 ** (self.bits - 1) - 1), torch.zeros((), dtype=torch.int64)
        else:
            scale, zero_point = (hi - lo) / (2**self.bits - 1), None
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        if zero_point is None:
            zero_point = torch.round(-lo / scale).long()
        return scale.float().reshape(1), zero_point
