# loses: 1.7/inputs
# mistake: packs in NumPy, which takes CPU tensors only
def pack_int4(q):
    if q.shape[-1] % 2:
        raise ValueError("the last dimension must be even")
    if q.min() < -8 or q.max() > 7:
        raise ValueError("values outside −8…7")
    values = q.numpy().astype("uint8") & 0xF
    return torch.from_numpy(values[..., 0::2] | (values[..., 1::2] << 4))
