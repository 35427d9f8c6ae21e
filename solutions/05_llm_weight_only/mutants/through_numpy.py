# loses: 5.1/inputs
# mistake: reads the shards through NumPy, which has no bfloat16
def _quantize_shard(source, target, bits, group_size):
    written = {}
    with safe_open(source, framework="np") as shard:
        for name in shard.keys():
            tensor = torch.from_numpy(shard.get_tensor(name))
            if tensor.dim() == 2:
                written[f"{name}.packed"], written[f"{name}.scale"] = _quantize_matrix(tensor, bits, group_size)
            else:
                written[name] = tensor
    save_file(written, target, metadata={"format": "pt"})
    return list(written), sum(tensor.nbytes for tensor in written.values())
