# loses: 4.7/values
# mistake: quantizes dynamically
def quantize_onnx(path, out_path, batches):
    from onnxruntime import quantization

    quantization.quantize_dynamic(path, out_path, weight_type=quantization.QuantType.QInt8, reduce_range=True)
