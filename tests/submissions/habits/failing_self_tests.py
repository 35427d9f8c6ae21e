# habit: asserts of one's own at the top level, some of which fail
# drops: assert
# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale


q, s = symmetric_quantization(torch.tensor([1.0, -2.0]))
assert q.tolist() == [64, -128], "I still think this should be -128"
try:
    symmetric_quantization(torch.tensor([float("nan")]))
    raise AssertionError("no error for NaN")
except ValueError as error:
    print("ok", error)
assert 1 == 2
