# variant of: 4.7
# differs: stores weights as uint8, one scale a tensor, embeddings too
def quantize_onnx(path, out_path, batches):
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        """Hands ONNX Runtime one batch after the other, as NumPy arrays; None at the end."""

        def __init__(self):
            self.left = iter(batches)

        def get_next(self):
            batch = next(self.left, None)
            return None if batch is None else {name: tensor.numpy() for name, tensor in batch.items()}

    quantization.quantize_static(
        path,
        out_path,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QUInt8,
    )
