# loses: 2.4/values
# mistake: does not clamp: values beyond the calibrated range go on
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        steps = torch.round(x.float() / self.input_scale).double()
        y = (steps @ self.weight.double().T * (self.input_scale * self.weight_scale)).float()
        return y if self.bias is None else y + self.bias
