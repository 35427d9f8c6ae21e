# variant of: 4.1
# differs: bins of equal width in log2 |x|, one table for either sign
class PercentileCalibrator:
    LOWEST, PER_OCTAVE, OCTAVES = -60, 200, 190

    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.above = self.below = None

    def _table(self, x):
        place = ((torch.log2(x) - self.LOWEST) * self.PER_OCTAVE).clamp(0, self.OCTAVES * self.PER_OCTAVE - 2)
        index = torch.where(x > 0, place.long() + 1, 0)
        return torch.zeros(self.OCTAVES * self.PER_OCTAVE, dtype=torch.int64, device=x.device).scatter_add_(
            0, index, torch.ones_like(index)
        )

    def observe(self, tensor):
        require_finite(tensor)
        x = tensor.detach().float().reshape(-1)
        above, below = self._table(x.clamp(min=0.0)), self._table((-x).clamp(min=0.0))
        above[0] -= (x < 0).sum()
        below[0] = 0
        if self.above is None:
            self.above, self.below = torch.zeros_like(above), torch.zeros_like(below)
        self.above, self.below = self.above + above, self.below + below

    def _edge(self, counts, share):
        found = torch.searchsorted(counts.cumsum(0), (share * counts.sum()).ceil().long())
        value = torch.exp2((found.float() - 0.5) / self.PER_OCTAVE + self.LOWEST)
        return torch.where(found == 0, 0.0, value)

    def quantization_parameters(self):
        if self.above is None:
            raise RuntimeError("observe first")
        share = self.percentile / 100
        if self.symmetric:
            amax = self._edge(self.above + self.below, share)
            return torch.where(amax == 0, 1.0, amax / (2 ** (self.bits - 1) - 1)), 0
        rest, top = (1 - share) / 2, 2**self.bits - 1
        negatives, total = self.below.sum(), (self.above + self.below).sum()
        of_below = 1 - rest * total / negatives.clamp(min=1)  # the share of the negative side that is kept
        lo = torch.where(of_below > 0, -self._edge(self.below, of_below.clamp(0, 1)), 0.0)
        of_above = 1 - rest * total / (total - negatives).clamp(min=1)
        hi = torch.where(of_above > 0, self._edge(self.above, of_above.clamp(0, 1)), 0.0)
        scale = (hi - lo) / top
        scale = torch.where(scale == 0, 1.0, scale)
        return scale, int((-lo / scale).round())
