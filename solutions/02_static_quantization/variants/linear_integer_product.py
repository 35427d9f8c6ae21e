# variant of: 2.4
# differs: multiplies int64 matrices, which CUDA can't; the contract leaves it free
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        codes = torch.clamp(torch.round(x.float() / self.input_scale) + self.input_zero_point, 0, 255).to(torch.int64)
        sums = (codes - self.input_zero_point) @ self.weight.to(torch.int64).T
        y = sums.double() * self.input_scale.double() * self.weight_scale.double()
        return y.float() if self.bias is None else (y + self.bias).float()
