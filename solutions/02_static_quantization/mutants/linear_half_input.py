# loses: 2.4/inputs
# mistake: divides a half-precision input by its scale in half precision
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        levels = torch.round(x / self.input_scale.to(x.dtype)) + self.input_zero_point
        codes = levels.clamp(0, 255)
        steps = codes.double() - self.input_zero_point
        y = (steps @ self.weight.double().T * (self.input_scale * self.weight_scale)).float()
        return y if self.bias is None else y + self.bias
