# loses: 2.4/values 2.5/values 2.6/values
# mistake: clamps the input to −128…127, although its zero point is that of 0…255
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        codes = (torch.round(x.float() / self.input_scale) + self.input_zero_point).clamp(-128, 127)
        steps = (codes - self.input_zero_point).double()
        y = (steps @ self.weight.double().T * (self.input_scale * self.weight_scale)).float()
        return y if self.bias is None else y + self.bias
