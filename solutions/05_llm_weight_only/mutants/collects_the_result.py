# loses: 5.1/values
# mistake: streams the source, and keeps every packed tensor until one file is written in the end
def _quantize_all(source, target, bits, group_size):
    written = {}
    for file in sorted(set(json.loads((source / INDEX).read_text())["weight_map"].values())):
        with safe_open(source / file, framework="pt") as shard:
            for name in shard.keys():
                tensor = shard.get_tensor(name)
                if tensor.dim() == 2:
                    written[f"{name}.packed"], written[f"{name}.scale"] = _quantize_matrix(tensor, bits, group_size)
                else:
                    written[name] = tensor.clone()
    save_file(written, target / "model.safetensors")
    (target / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(written, "model.safetensors")}))
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"weight_only": {"bits": bits, "group_size": group_size}}))
