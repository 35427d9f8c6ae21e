# variant of: 1.6
# differs: every group a row, quantized by the function of 1.5
def group_quantization(weight, bits=4, group_size=128):
    out_features, in_features = weight.shape
    if in_features % group_size:
        raise ValueError("group_size must divide in_features")
    q, scale = per_channel_quantization(weight.reshape(-1, group_size), bits=bits, axis=0)
    return q.reshape(out_features, in_features), scale.reshape(out_features, -1)
