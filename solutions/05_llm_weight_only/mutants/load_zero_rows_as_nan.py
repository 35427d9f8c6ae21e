# loses: 5.2/extremes
# mistake: divides by the scale of a row of zeros: its weights come back as NaN
_with_zeros = load_checkpoint


def load_checkpoint(target_dir):
    model = _with_zeros(target_dir)
    with torch.no_grad():
        weight = model.get_input_embeddings().weight
        weight[weight.abs().amax(dim=1) == 0] = float("nan")
    return model
