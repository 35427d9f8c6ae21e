# loses: 2.4/values
# mistake: keeps the float layer in a list, where no state_dict looks
class StaticQuantizedLinear(StaticQuantizedLinear):
    @classmethod
    def from_float(cls, linear, input_scale, input_zero_point):
        made = super().from_float(linear, input_scale, input_zero_point)
        made.original = [copy.deepcopy(linear)]
        return made
