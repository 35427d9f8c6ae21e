# loses: 3.1/inputs
# mistake: sees the activations as a matrix with `view`, which a transposed or sliced tensor refuses
_dynamic_of_matrices = dynamic_quantize


def dynamic_quantize(x, bits=8, granularity="per_token"):
    q, scale = _dynamic_of_matrices(x.view(-1, x.shape[-1]), bits, granularity)
    return q.view(x.shape), scale.view(*x.shape[:-1], 1) if granularity == "per_token" else scale
