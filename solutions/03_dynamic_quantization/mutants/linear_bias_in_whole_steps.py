# loses: 3.2/values
# mistake: the bias is added to the integer sums, rounded to whole steps of both scales
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    def forward(self, x):
        codes, scale = _codes_and_scale(x)
        sums, steps = codes.double() @ self.weight.double().T, scale.double() * self.weight_scale
        if self.bias is not None:
            sums = sums + torch.round(self.bias / steps)
        return (sums * steps).float()
