# habit: a factory of closures makes the graded functions
# %% 1.1
def make_quantizer(reduce):
    calls = 0

    def quantize(tensor, bits=8):
        nonlocal calls
        calls += 1
        x = checked(tensor, bits)
        scale = scale_for(reduce(x.abs()), bits)
        return to_signed(x, scale, bits), scale

    return quantize


amax = lambda x: x.amax()
symmetric_quantization = make_quantizer(amax)
