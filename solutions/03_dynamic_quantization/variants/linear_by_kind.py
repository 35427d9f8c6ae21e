# variant of: 3.2
# differs: one method for each kind, float64 throughout, scales [out, 1], an empty bias stored as zeros
class DynamicQuantizedLinear(nn.Module):
    def __init__(self, weight, weight_scale, bias):
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("weight_scale", weight_scale)
        self.register_buffer("bias", torch.zeros(len(weight), device=weight.device) if bias is None else bias.detach().clone())

    @classmethod
    def from_float(cls, layer):
        return cls._from_conv1d(layer) if hasattr(layer, "nf") else cls._from_linear(layer)

    @classmethod
    def _from_linear(cls, layer):
        q, scale = dynamic_quantize(layer.weight.detach())
        return cls(q, scale.reshape(-1), layer.bias)

    @classmethod
    def _from_conv1d(cls, layer):
        q, scale = dynamic_quantize(layer.weight.detach().t())
        return cls(q.clone(memory_format=torch.contiguous_format), scale.reshape(-1), layer.bias)

    def forward(self, x):
        q, scale = dynamic_quantize(x)
        sums = torch.matmul(q.double(), self.weight.double().t())
        return (sums * scale.double() * self.weight_scale.double() + self.bias.double()).to(torch.float32)
