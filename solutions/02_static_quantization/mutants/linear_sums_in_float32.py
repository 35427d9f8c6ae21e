# loses: 2.4/values
# mistake: multiplies the codes in float32, whatever the width
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        levels = torch.round(x.float() / self.input_scale) + self.input_zero_point
        steps = levels.clamp(0, 255) - self.input_zero_point
        y = (steps @ self.weight.float().T) * (self.input_scale * self.weight_scale)
        return y if self.bias is None else y + self.bias
