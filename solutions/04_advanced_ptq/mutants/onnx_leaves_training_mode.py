# loses: 4.7/state
# mistake: wraps the model itself, and the exporter leaves it in training mode
def export_onnx(model, path, sample):
    names = list(sample)
    wrapped = LogitsOnly(model, names)
    torch.onnx.export(
        wrapped,
        tuple(sample.values()),
        path,
        dynamo=False,  # the older exporter: half a second instead of ten
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch"} for name in (*names, "logits")},
        opset_version=17,
    )
