# habit: a cell pasted with its indentation, line continuations, tabs, and a backslash at the end
# %% 1.1
    TOP = \
        127
    if True:
    	SHIFT = 8

    def symmetric_quantization(tensor, bits=8):
        x = checked(tensor, bits)
        top = TOP >> \
            (SHIFT - bits)
        scale = torch.where(x.abs().amax() == 0, 1.0, x.abs().amax() / top)
        return torch.round(x / scale).clamp(-top - 1, top).to(torch.int8), scale
