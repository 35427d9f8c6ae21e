# loses: 4.7/state
# mistake: puts the model itself into eval mode, and leaves it there
def export_onnx(model, path, sample):
    names = list(sample)
    torch.onnx.export(
        LogitsOnly(model, names).eval(),
        tuple(sample.values()),
        path,
        dynamo=False,
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch"} for name in (*names, "logits")},
        opset_version=17,
    )
