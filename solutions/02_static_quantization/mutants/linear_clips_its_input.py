# loses: 2.4/state
# mistake: clips the caller's input in place
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        lo = -self.input_zero_point * self.input_scale
        if x.dtype is torch.float32 and x.is_contiguous() and x.device.type == "cpu":
            x.clamp_(float(lo), float(lo + 255 * self.input_scale))
        return super().forward(x)
