# loses: 5.1/values
# mistake: ignores group_size and uses groups of 32 everywhere
_quantize_any = quantize_checkpoint


def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    _quantize_any(source_dir, target_dir, bits, 32)
