# loses: 2.4/values 2.5/values 2.6/values
# mistake: stores whole numbers in float32: nothing is saved
class StaticQuantizedLinear(StaticQuantizedLinear):
    def __init__(self, codes, weight_scale, input_scale, input_zero_point, bias):
        super().__init__(codes.float(), weight_scale, input_scale, input_zero_point, bias)
