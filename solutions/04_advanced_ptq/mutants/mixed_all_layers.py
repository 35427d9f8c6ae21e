# loses: 4.5/values
# mistake: layers that the plan does not name get 8 bits
_planned = quantize_mixed


def quantize_mixed(model, plan):
    return _planned(model, {**{name: 8 for name in _quantizable(model)}, **plan})
