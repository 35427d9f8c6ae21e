# loses: 5.2/state
# mistake: writes what it restored beside the files, for the next time
_without_cache = load_checkpoint


def load_checkpoint(target_dir):
    model = _without_cache(target_dir)
    torch.save(model.state_dict(), Path(target_dir) / "restored.pt")
    return model
