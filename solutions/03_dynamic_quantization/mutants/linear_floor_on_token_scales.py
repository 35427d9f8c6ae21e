# loses: 3.2/inputs
# mistake: no token's scale below 1e-5, so that small activations get few levels
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    def forward(self, x):
        scale = (x.float().abs().amax(dim=-1, keepdim=True) / 127).clamp(min=1e-5)
        codes = torch.round(x.float() / scale).clamp(-128, 127)
        y = (codes.double() @ self.weight.double().T * scale * self.weight_scale).float()
        return y if self.bias is None else y + self.bias
