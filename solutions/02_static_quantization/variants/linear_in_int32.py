# variant of: 2.4
# differs: uint8 codes, integer products and sums where they are few, scales applied in float64
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        codes = torch.clamp(torch.round(x.float() / self.input_scale) + self.input_zero_point, 0, 255).to(torch.uint8)
        steps = codes.to(torch.int32) - self.input_zero_point
        if steps.numel() * len(self.weight) > 2**22:  # float64 is exact, too, and takes less memory
            sums = steps.double() @ self.weight.double().T
        else:
            sums = (steps.unsqueeze(-2) * self.weight).sum(dim=-1)
        y = sums.double() * self.input_scale.double() * self.weight_scale.double()
        return y.float() if self.bias is None else (y + self.bias).float()
