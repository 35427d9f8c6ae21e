# loses: 5.1/values 5.2/values
# mistake: forgets the index, without which nobody knows which shards belong to the model
_quantize_right = _quantize_all


def _quantize_all(source, target, bits, group_size):
    _quantize_right(source, target, bits, group_size)
    (target / INDEX).unlink()
