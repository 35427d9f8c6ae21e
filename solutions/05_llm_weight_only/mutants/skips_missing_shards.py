# loses: 5.1/errors
# mistake: quantizes the shards that it finds instead of those that the index promises
def _quantize_all(source, target, bits, group_size):
    weight_map = {}
    for shard in sorted(path.name for path in source.glob("*.safetensors")):
        names, _ = _quantize_shard(source / shard, target / shard, bits, group_size)
        weight_map |= dict.fromkeys(names, shard)
    (target / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"weight_only": {"bits": bits, "group_size": group_size}}))
