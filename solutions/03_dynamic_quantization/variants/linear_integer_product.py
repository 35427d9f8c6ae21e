# variant of: 3.2
# differs: multiplies int32 matrices, which CUDA can't; the contract leaves it free
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    def forward(self, x):
        q, scale = dynamic_quantize(x)
        y = (q.to(torch.int32) @ self.weight.to(torch.int32).T).float() * scale * self.weight_scale
        return y if self.bias is None else y + self.bias
