# loses: 3.2/state 3.3/values
# mistake: divides the tokens that it is given in place
class DynamicQuantizedLinear(DynamicQuantizedLinear):
    def forward(self, x):
        scale = (x.detach().float().abs().amax(dim=-1, keepdim=True) / 127).clamp(min=1e-12)
        whole = x if x.dtype == torch.float32 and 0 not in x.stride() else x.float().clone()
        codes = whole.div_(scale).round_().clamp_(-128, 127)
        y = (codes.double() @ self.weight.double().T * scale * self.weight_scale).float()
        return y if self.bias is None else y + self.bias
