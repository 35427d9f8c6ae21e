# loses: 4.2/extremes 4.2/inputs
# mistake: finds the bins in the data's own dtype
def collect_histogram(batches, bins=2048):
    top = max(batch.abs().max() for batch in batches)
    hist = torch.zeros(bins)
    for batch in batches:
        places = torch.floor(batch.abs().flatten() / top * bins).clamp(max=bins - 1).long()
        hist += torch.bincount(places, minlength=bins)[:bins]
    return hist, torch.linspace(0, float(top), bins + 1)
