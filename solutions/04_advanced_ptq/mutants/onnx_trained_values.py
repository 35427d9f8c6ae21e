# loses: 4.7/values
# mistake: exports in training mode: dropout stays in the graph
def export_onnx(model, path, sample):
    names = list(sample)
    wrapped = LogitsOnly(copy.deepcopy(model), names).train()
    torch.onnx.export(
        wrapped,
        tuple(sample.values()),
        path,
        dynamo=False,  # the older exporter: half a second instead of ten
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch"} for name in (*names, "logits")},
        opset_version=17,
        training=torch.onnx.TrainingMode.TRAINING,
        do_constant_folding=False,
    )
