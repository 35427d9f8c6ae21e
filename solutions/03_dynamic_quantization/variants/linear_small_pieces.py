# variant of: 3.2
# differs: sums in pieces of 512 inputs, each exact in float32, joined in int32
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    PIECE = 512

    def forward(self, x):
        q, scale = dynamic_quantize(x)
        total = 0
        for start in range(0, q.shape[-1], self.PIECE):
            piece = slice(start, start + self.PIECE)
            total = total + (q[..., piece].float() @ self.weight[:, piece].float().T).to(torch.int32)
        y = total.float() * scale * self.weight_scale
        return y if self.bias is None else y.add_(self.bias)
