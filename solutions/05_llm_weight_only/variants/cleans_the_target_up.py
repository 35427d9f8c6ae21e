# variant of: 5.1
# differs: writes into target_dir and removes it when anything fails
def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    if type(bits) is not int or bits < 2 or bits > 8:
        raise ValueError("bits must be from 2 to 8")
    target = Path(target_dir)
    target.mkdir(parents=True)
    try:
        _quantize_all(Path(source_dir), target, bits, group_size)
    except BaseException:
        shutil.rmtree(target)
        raise
