# loses: 4.7/values
# mistake: calls quantize_static with nothing but the files
def quantize_onnx(path, out_path, batches):
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(batches)

        def get_next(self):
            batch = next(self.left, None)
            return None if batch is None else {name: tensor.numpy() for name, tensor in batch.items()}

    quantization.quantize_static(path, out_path, Reader())
