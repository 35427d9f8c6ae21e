# loses: 4.2/errors
# mistake: merges fewer bins than there are levels without a word
def kl_at(hist, i, levels=128):
    return _divergences(hist, torch.tensor([i], device=hist.device), levels).item()
