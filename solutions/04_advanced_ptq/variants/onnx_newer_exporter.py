# variant of: 4.7
# differs: uses torch.export's exporter, which writes the weights into a second file
def export_onnx(model, path, sample):
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        copy.deepcopy(model).eval(),
        (),
        path,
        kwargs=dict(sample),
        dynamo=True,
        input_names=list(sample),
        output_names=["logits"],
        dynamic_shapes={name: {0: batch} for name in sample},
    )
