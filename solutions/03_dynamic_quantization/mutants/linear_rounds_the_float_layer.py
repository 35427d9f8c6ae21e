# loses: 3.2/state
# mistake: writes the rounded weight into the layer that it was given
class DynamicQuantizedLinear(nn.Module):
    def __init__(self, codes, weight_scale, bias):
        super().__init__()
        self.register_buffer("weight", codes)
        self.register_buffer("weight_scale", weight_scale)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    @classmethod
    def from_float(cls, layer):
        weight = (layer.weight.T if isinstance(layer, Conv1D) else layer.weight).detach()
        scale = (weight.abs().amax(dim=1) / 127).clamp(min=1e-12)
        weight.copy_(torch.round(weight / scale[:, None]) * scale[:, None])
        return cls(torch.round(weight / scale[:, None]).to(torch.int8).contiguous(), scale, layer.bias)

    def forward(self, x):
        x = x.float()
        scale = (x.abs().amax(dim=-1, keepdim=True) / 127).clamp(min=1e-12)
        sums = torch.round(x / scale) @ self.weight.float().T
        y = sums * scale * self.weight_scale
        return y if self.bias is None else y + self.bias
