# loses: 4.7/values
# mistake: gives the inputs names of its own
def export_onnx(model, path, sample):
    names = list(sample)
    wrapped = LogitsOnly(copy.deepcopy(model), names).eval()  # the exporter changes modes: work on a copy
    torch.onnx.export(
        wrapped,
        tuple(sample.values()),
        path,
        dynamo=False,  # the older exporter: half a second instead of ten
        input_names=[f"input_{at}" for at in range(len(names))],
        output_names=["logits"],
        dynamic_axes={name: {0: "batch"} for name in (*[f"input_{at}" for at in range(len(names))], "logits")},
        opset_version=17,
    )
