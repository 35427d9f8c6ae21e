# variant of: 1.4
# differs: keeps the range, and derives scale and zero point from it whenever they are asked for
class BasicQuantizer:
    RANGES = {True: (lambda b: (-(2 ** (b - 1)) + 1, 2 ** (b - 1) - 1)), False: (lambda b: (0, 2**b - 1))}

    def __init__(self, bits=8, symmetric=True):
        require_bits(bits)
        self.symmetric, self._range = bool(symmetric), None
        self._qmin, self._qmax = self.RANGES[self.symmetric](bits)

    def calibrate(self, data):
        require_finite(data)
        lo, hi = torch.aminmax(data.float())
        self._range = float(lo), float(hi)
        self._device = data.device

    def _step(self):
        if self._range is None:
            raise RuntimeError("no calibration data seen")
        lo, hi = self._range
        width = max(-lo, hi) if self.symmetric else max(hi, 0.0) - min(lo, 0.0)
        return width / self._qmax or 1.0

    @property
    def scale(self):
        return torch.tensor(self._step(), dtype=torch.float32, device=self._device)

    @property
    def zero_point(self):
        return 0 if self.symmetric else round(-min(self._range[0], 0.0) / self._step())

    def quantize(self, tensor):
        step = self._step()
        levels = torch.round(tensor.double() / step).add(self.zero_point)
        return levels.clamp(self._qmin, self._qmax).to(torch.int8 if self.symmetric else torch.uint8)

    def dequantize(self, q_tensor):
        step = self._step()
        return ((q_tensor.to(torch.int16) - self.zero_point) * step).to(torch.float32)
