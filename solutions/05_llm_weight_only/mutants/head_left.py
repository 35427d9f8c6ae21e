# loses: 5.1/values 5.2/values
# mistake: keeps the head in half precision, as many tools do and this task does not
def _quantize_shard(source, target, bits, group_size):
    written = {}
    with safe_open(source, framework="pt") as shard:
        for name in shard.keys():
            tensor = shard.get_tensor(name)
            if tensor.dim() == 2 and name != "lm_head.weight":
                written[f"{name}.packed"], written[f"{name}.scale"] = _quantize_matrix(tensor, bits, group_size)
            else:
                written[name] = tensor
    save_file(written, target, metadata={"format": "pt"})
    return list(written), sum(tensor.nbytes for tensor in written.values())
