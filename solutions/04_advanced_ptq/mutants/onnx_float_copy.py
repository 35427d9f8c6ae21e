# loses: 4.7
# mistake: copies the float file
def quantize_onnx(path, out_path, batches):
    import shutil

    shutil.copyfile(path, out_path)
