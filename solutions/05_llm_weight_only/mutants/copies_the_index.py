# loses: 5.1/values
# mistake: copies the source's index, which names tensors that are no longer there
def _quantize_all(source, target, bits, group_size):
    for path in source.glob("*.safetensors"):
        _quantize_shard(path, target / path.name, bits, group_size)
    shutil.copy(source / INDEX, target / INDEX)
    if not all((target / shard).is_file() for shard in json.loads((source / INDEX).read_text())["weight_map"].values()):
        raise FileNotFoundError("a shard is missing")
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"weight_only": {"bits": bits, "group_size": group_size}}))
