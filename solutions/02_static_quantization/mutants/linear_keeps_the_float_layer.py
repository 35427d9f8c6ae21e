# loses: 2.4/values 2.5/values 2.6/values
# mistake: keeps the float layer beside the integers
class StaticQuantizedLinear(StaticQuantizedLinear):
    @classmethod
    def from_float(cls, linear, input_scale, input_zero_point):
        made = super().from_float(linear, input_scale, input_zero_point)
        made.original = copy.deepcopy(linear)
        return made
