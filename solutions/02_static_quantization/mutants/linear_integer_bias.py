# loses: 2.4/values
# mistake: rounds the bias to steps of the sum, as integer kernels do
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        levels = torch.round(x.float() / self.input_scale) + self.input_zero_point
        sums = (levels.clamp(0, 255).double() - self.input_zero_point) @ self.weight.double().T
        step = (self.input_scale * self.weight_scale).double()
        if self.bias is not None:
            sums = sums + torch.round(self.bias / step)
        return (sums * step).float()
