# loses: 5.1/errors
# mistake: writes straight into target_dir, so that a failure leaves a part of the model there
def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError("bits must be an int from 2 to 8")
    target = Path(target_dir)
    target.mkdir()
    _quantize_all(Path(source_dir), target, bits, group_size)
