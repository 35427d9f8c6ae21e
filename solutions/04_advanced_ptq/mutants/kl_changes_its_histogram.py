# loses: 4.2/state
# mistake: replaces hist[0] in place
def kl_at(hist, i, levels=128):
    if not levels <= i <= hist.numel():
        raise ValueError("too few bins")
    hist[0] = hist[1]
    return _divergences(hist, torch.tensor([i]), levels).item()
