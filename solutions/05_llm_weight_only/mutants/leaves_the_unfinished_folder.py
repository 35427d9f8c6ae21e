# loses: 5.1/errors
# mistake: works in a folder beside the target and renames it, and leaves it there when something fails
def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits must be an int from 2 to 8")
    unfinished = Path(f"{target_dir}.part")
    unfinished.mkdir()
    _quantize_all(Path(source_dir), unfinished, bits, group_size)
    unfinished.rename(target_dir)
