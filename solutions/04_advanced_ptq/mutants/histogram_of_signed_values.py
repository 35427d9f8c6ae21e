# loses: 4.2/values
# mistake: counts x instead of |x|
def collect_histogram(batches, bins=2048):
    values = [batch.detach().float() for batch in batches]
    top = max(float(x.amax()) for x in values) or 1.0
    hist = sum(torch.histc(x, bins, 0.0, top).double() for x in values)
    return hist, torch.linspace(0.0, top, bins + 1, device=hist.device)
