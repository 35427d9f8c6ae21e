# loses: 5.1/values
# mistake: quantizes the norms as well, to 8 bits: that hardly shows in the predictions, and keeps nothing as it was
def _quantize_shard(source, target, bits, group_size):
    written = {}
    with safe_open(source, framework="pt") as shard:
        for name in shard.keys():
            tensor = shard.get_tensor(name)
            if tensor.dim() == 2:
                written[f"{name}.packed"], written[f"{name}.scale"] = _quantize_matrix(tensor, bits, group_size)
            else:
                codes, scale = group_quantization(tensor[None], 8, group_size)
                written[name] = (codes.unflatten(1, (-1, group_size)) * scale.unsqueeze(-1)).flatten().half()
    save_file(written, target, metadata={"format": "pt"})
    return list(written), sum(tensor.nbytes for tensor in written.values())
