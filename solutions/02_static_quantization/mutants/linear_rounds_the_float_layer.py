# loses: 2.4/state
# mistake: rounds the weight of the float layer in place, and takes its integers from there
class StaticQuantizedLinear(StaticQuantizedLinear):
    @classmethod
    def from_float(cls, linear, input_scale, input_zero_point):
        codes, scale = _codes_by_row(linear.weight)
        linear.weight.data.copy_(codes * scale.unsqueeze(1))
        return cls(codes, scale, input_scale, input_zero_point, linear.bias)
