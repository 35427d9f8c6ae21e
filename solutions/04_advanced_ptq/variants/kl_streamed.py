# variant of: 4.2
# differs: counts at once in 2^17 bins that double, and deals the counts out to 2048 bins at the end
class KLCalibrator:
    FINE = 1 << 17

    def __init__(self, bits=8):
        require_bits(bits)
        self.bits, self.counts, self.largest = bits, None, 0.0

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().double().abs().flatten()
        top = float(x.max())
        if self.counts is None or self.largest == 0.0:
            zeros = 0.0 if self.counts is None else self.counts[0].item()
            self.counts, self.top = torch.zeros(self.FINE, dtype=torch.float64), top or 1.0
            self.counts[0] = zeros
        while top > self.top:
            self.counts = torch.cat([self.counts.reshape(-1, 2).sum(1), self.counts.new_zeros(self.FINE // 2)])
            self.top *= 2
        self.largest = max(self.largest, top)
        self.counts += torch.histc(x, self.FINE, 0.0, self.top)

    def quantization_parameters(self):
        if self.counts is None:
            raise RuntimeError("no data")
        if self.largest == 0.0:
            return torch.tensor(1.0), 0
        below = torch.cat([self.counts.new_zeros(1), self.counts.cumsum(0)])
        place = torch.linspace(0, self.largest / self.top * self.FINE, 2049, dtype=torch.float64)
        whole = place.floor().long().clamp(max=self.FINE - 1)
        at = below[whole] + (place - whole) * (below[whole + 1] - below[whole])
        hist, levels = at.diff(), 2 ** (self.bits - 1)
        hist[-1] += below[-1] - at[-1]
        kls = [kl_at(hist, i, levels) for i in range(levels, 2049)]
        best = levels + max(range(len(kls)), key=lambda j: (-kls[j], j))
        return torch.tensor(best * self.largest / 2048 / (levels - 1)), 0
