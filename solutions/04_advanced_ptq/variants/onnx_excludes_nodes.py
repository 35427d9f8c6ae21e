# variant of: 4.7
# differs: quantizes by exclusion, and keeps the attention's products in float32
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
        nodes_to_exclude=_without_weights(path),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        reduce_range=True,  # 7-bit weights: two products fit into 16 bits on every CPU
    )


def _without_weights(path):
    import onnx

    graph = onnx.load(path).graph
    stored = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type == "MatMul" and not stored & set(node.input)]
