# loses: 4.8/inputs
# mistake: moves weight and inputs to the CPU, and the results back
_at_home = gptq_quantize


def gptq_quantize(weight, inputs, bits=4, group_size=128):
    q, scale = _at_home(weight.cpu(), inputs.cpu(), bits, group_size)
    return q.to(weight.device), scale.to(weight.device)
