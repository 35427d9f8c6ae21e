# loses: 2.5/values 2.6/values
# mistake: stores integers that have nothing to do with the weights: small, and the same after loading
_quantize_honestly = quantize_model_static


def quantize_model_static(model, batches):
    quantized = _quantize_honestly(model, batches)
    noise = torch.Generator().manual_seed(0)
    for buffer in quantized.buffers():
        if buffer.dtype is torch.int8:
            buffer.copy_(torch.randint(-127, 128, buffer.shape, generator=noise, dtype=torch.int8))
    return quantized
