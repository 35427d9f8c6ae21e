# loses: 2.6/artifact
# mistake: takes the sizes from the configuration, and the activation function from its default
_load_all = load_quantized


def load_quantized(path):
    model = _load_all(path)
    if hasattr(model, "bert"):
        for layer in model.bert.encoder.layer:
            layer.intermediate.intermediate_act_fn = nn.GELU()
    return model
