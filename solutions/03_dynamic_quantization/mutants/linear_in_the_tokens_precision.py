# loses: 3.2/inputs
# mistake: half-precision tokens get scales and codes in half precision
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    def forward(self, x):
        scale = x.abs().amax(dim=-1, keepdim=True) / 127
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        codes = torch.round(x / scale).clamp(-128, 127)
        y = (codes.double() @ self.weight.double().T * scale.double() * self.weight_scale).float()
        return y if self.bias is None else y + self.bias
