# variant of: 2.3
# differs: one pass over the batches for each layer, on a copy of the model, with a forward hook
@torch.no_grad()
def calibrate_model(model, batches, make_calibrator):
    measured = copy.deepcopy(model).eval()
    found = {}
    for name, layer in measured.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        made = []

        def look(_, args, output):
            made.append(made[-1] if made else make_calibrator())
            made[-1].observe(args[0])

        hook = layer.register_forward_hook(look)
        for batch in batches:
            measured(**batch)
        hook.remove()
        if made:
            found[name] = made[-1].quantization_parameters()
    return found
