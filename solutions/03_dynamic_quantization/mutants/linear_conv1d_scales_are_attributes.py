# loses: 3.2/values 3.3/values
# mistake: the state_dict of a layer that was a Conv1D lacks the weight's scales
_any_layer = DynamicQuantizedLinear.from_float.__func__


class DynamicQuantizedLinear(DynamicQuantizedLinear):
    @classmethod
    def from_float(cls, layer):
        made = _any_layer(cls, layer)
        if isinstance(layer, Conv1D):
            scale = made.weight_scale
            del made.weight_scale
            made.weight_scale = scale
        return made
