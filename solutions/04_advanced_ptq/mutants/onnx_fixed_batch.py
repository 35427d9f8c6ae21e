# loses: 4.7/values
# mistake: exports the batch size of the sample as a constant
def export_onnx(model, path, sample):
    names = list(sample)
    wrapped = LogitsOnly(copy.deepcopy(model), names).eval()  # the exporter changes modes: work on a copy
    torch.onnx.export(
        wrapped,
        tuple(sample.values()),
        path,
        dynamo=False,  # the older exporter: half a second instead of ten
        input_names=names,
        output_names=["logits"],
        opset_version=17,
    )
