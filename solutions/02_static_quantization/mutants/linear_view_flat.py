# loses: 2.4/inputs
# mistake: flattens its input with view, which a permuted tensor refuses
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        return super().forward(x.view(-1, x.shape[-1])).view(*x.shape[:-1], -1)
