# variant of: 5.1
# differs: reads a shard into memory, in float32, before it is quantized; target made last by moving
def _quantize_shard(source, target, bits, group_size):
    from safetensors.torch import load

    state, written = {name: tensor.float() for name, tensor in load(source.read_bytes()).items()}, {}
    for name, tensor in state.items():
        if tensor.dim() == 2:
            codes, scale = group_quantization(tensor, bits, group_size)
            written[f"{name}.packed"] = pack_int4(codes) if bits <= 4 else codes.view(torch.uint8)
            written[f"{name}.scale"] = scale.half()
        else:
            written[name] = tensor
    save_file(written, target)
    return list(written), sum(tensor.nbytes for tensor in written.values())


def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    if bits not in range(2, 9):
        raise ValueError("bits must be from 2 to 8")
    with tempfile.TemporaryDirectory() as unfinished:
        folder = Path(unfinished) / "model"
        folder.mkdir()
        _quantize_all(Path(source_dir), folder, bits, group_size)
        shutil.move(folder, target_dir)
