# loses: 2.4/values 2.5/values 2.6/values
# mistake: adds the zero point and never subtracts it
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        codes = (torch.round(x.float() / self.input_scale) + self.input_zero_point).clamp(0, 255)
        y = (codes.double() @ self.weight.double().T * (self.input_scale * self.weight_scale)).float()
        return y if self.bias is None else y + self.bias
