# variant of: 5.1
# differs: maps every shard at once, which takes no anonymous memory, and writes a file a tensor
def _quantize_all(source, target, bits, group_size):
    weight_map = json.loads((source / INDEX).read_text())["weight_map"]
    state = {name: tensor for file in set(weight_map.values()) for name, tensor in load_file(source / file).items()}
    index = {}
    for number, name in enumerate(weight_map):
        written = {name: state[name]}
        if state[name].dim() == 2:
            packed, scale = _quantize_matrix(state[name], bits, group_size)
            written = {f"{name}.packed": packed, f"{name}.scale": scale}
        save_file(written, target / f"part-{number}.safetensors")
        index |= dict.fromkeys(written, f"part-{number}.safetensors")
    (target / INDEX).write_text(json.dumps({"weight_map": index}))
    config = transformers.LlamaConfig.from_pretrained(source).to_dict()
    config["weight_only"] = {"bits": bits, "group_size": group_size}
    (target / "config.json").write_text(json.dumps(config))
