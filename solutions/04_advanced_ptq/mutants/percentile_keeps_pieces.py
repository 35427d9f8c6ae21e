# loses: 4.1/values
# mistake: keeps every value, in pieces; only the counting at the end is bounded
class PercentileCalibrator(PercentileCalibrator):
    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        super().__init__(bits, symmetric, percentile)
        self.pieces = []

    def observe(self, tensor):
        require_finite(tensor)
        self.pieces += [piece.clone() for piece in tensor.detach().float().flatten().split(1 << 17)]

    def quantization_parameters(self):
        for piece in self.pieces:
            super().observe(piece)
        return super().quantization_parameters()
