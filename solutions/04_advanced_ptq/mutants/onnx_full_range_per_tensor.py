# loses: 4.7/artifact
# mistake: leaves reduce_range off: pairs of products saturate where the CPU adds them in 16 bits
def quantize_onnx(path, out_path, batches):
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    quantize_static(
        path,
        out_path,
        calibration_reader(batches),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        per_channel=False,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
