# loses: 5.1/state
# mistake: writes a file of notes into the source folder
_quietly = quantize_checkpoint


def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    _quietly(source_dir, target_dir, bits, group_size)
    (Path(source_dir) / "quantized.txt").write_text(str(target_dir))
