# loses: 5.2/state
# mistake: deletes each shard when it has been read
_load_all = load_checkpoint


def load_checkpoint(target_dir):
    model = _load_all(target_dir)
    for path in Path(target_dir).glob("*.safetensors"):
        path.unlink()
    return model
