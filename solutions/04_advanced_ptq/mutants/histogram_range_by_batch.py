# loses: 4.2/values
# mistake: adds histograms whose bins differ: each batch has a range of its own
def collect_histogram(batches, bins=2048):
    hist, top = 0.0, 0.0
    for batch in batches:
        x = batch.detach().float().abs()
        top = max(top, float(x.amax())) or 1.0
        hist = hist + torch.histc(x, bins, 0.0, float(x.amax()) or 1.0).double()
    return hist, torch.linspace(0.0, top, bins + 1, device=hist.device)
