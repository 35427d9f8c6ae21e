# loses: 5.1/state
# mistake: keeps the source's total_size in the new index
_quantize_right = _quantize_all


def _quantize_all(source, target, bits, group_size):
    _quantize_right(source, target, bits, group_size)
    index = json.loads((target / INDEX).read_text())
    index["metadata"] = json.loads((source / INDEX).read_text())["metadata"]
    (target / INDEX).write_text(json.dumps(index))
