# loses: 3.2/inputs
# mistake: no weight scale below 1e-5, so that channels of small weights get few levels
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    @classmethod
    def from_float(cls, layer):
        weight = (layer.weight.T if isinstance(layer, Conv1D) else layer.weight).detach().float()
        scale = (weight.abs().amax(dim=1) / 127).clamp(min=1e-5)
        codes = torch.round(weight / scale[:, None]).clamp(-128, 127).to(torch.int8)
        return cls(codes.contiguous(), scale, layer.bias)
