# loses: 2.4/inputs
# mistake: no weight scale below 1e-5, so that channels of small weights get few levels
def _codes_by_row(weight):
    weight = weight.detach().float()
    scale = (weight.abs().amax(dim=1) / 127).clamp(min=1e-5)
    return torch.round(weight / scale.unsqueeze(1)).clamp(-128, 127).to(torch.int8), scale
