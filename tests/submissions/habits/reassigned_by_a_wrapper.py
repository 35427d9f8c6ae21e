# habit: a function is wrapped by a call after it was defined
# %% 1.1
def symmetric_quantization(tensor, bits=8):
    scale = scale_for(tensor.abs().amax(), bits)
    return to_signed(tensor, scale, bits), scale


def with_checks(function):
    return lambda tensor, bits=8: function(checked(tensor, bits), bits)

# %%
unchecked = symmetric_quantization
symmetric_quantization = with_checks(symmetric_quantization)
