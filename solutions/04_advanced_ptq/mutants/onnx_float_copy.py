# loses: 4.7/values
# mistake: copies the float file
def quantize_onnx(path, out_path, batches):
    import shutil

    shutil.copyfile(path, out_path)
