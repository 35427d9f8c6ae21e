# loses: 3.2/inputs
# mistake: sees its input as a matrix with `view`, which a transposed or sliced tensor refuses
_forward_of_matrices = DynamicQuantizedLinear.forward


class DynamicQuantizedLinear(DynamicQuantizedLinear):
    def forward(self, x):
        return _forward_of_matrices(self, x.view(-1, x.shape[-1])).view(*x.shape[:-1], -1)
