# variant of: 2.4
# differs: both sides restored in float64 before the product, which is exact enough there
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        scale, zero_point = self.input_scale.double(), self.input_zero_point
        codes = (torch.round(x.float() / self.input_scale) + zero_point).clamp(min=0, max=255)
        restored = (codes.double() - zero_point) * scale
        weight = self.weight.double() * self.weight_scale.double().unsqueeze(1)
        bias = None if self.bias is None else self.bias.double()
        return nn.functional.linear(restored, weight, bias).float()
