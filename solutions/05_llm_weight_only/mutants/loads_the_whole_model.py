# loses: 5.1/values
# mistake: loads every shard in float32 before the first is quantized
def _quantize_all(source, target, bits, group_size):
    state = {}
    for path in sorted(source.glob("*.safetensors")):
        state |= {name: tensor.float() for name, tensor in load_file(path).items()}
    weight_map = {}
    for number, (name, tensor) in enumerate(state.items()):
        written = {name: tensor}
        if tensor.dim() == 2:
            packed, scale = _quantize_matrix(tensor, bits, group_size)
            written = {f"{name}.packed": packed, f"{name}.scale": scale}
        save_file(written, target / f"{number}.safetensors")
        weight_map |= dict.fromkeys(written, f"{number}.safetensors")
    (target / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"weight_only": {"bits": bits, "group_size": group_size}}))
