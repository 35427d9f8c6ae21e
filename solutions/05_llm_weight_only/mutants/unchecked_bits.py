# loses: 5.1/errors
# mistake: takes any number of bits
def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    target = Path(target_dir)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        _quantize_all(Path(source_dir), unfinished, bits, group_size)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
