# loses: 2.6/state
# mistake: converts the scales of the model itself to half precision and back before it writes them
_save_as_it_is = save_quantized


def save_quantized(model, path):
    for buffer in model.buffers():
        if buffer.dtype is torch.float32:
            buffer.copy_(buffer.half().float())
    _save_as_it_is(model, path)
