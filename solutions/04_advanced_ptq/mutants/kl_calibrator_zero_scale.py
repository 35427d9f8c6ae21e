# loses: 4.2/extremes
# mistake: divides all-zero data's threshold 0 by 127
def collect_histogram(batches, bins=2048):
    magnitudes = [batch.detach().float().abs() for batch in batches]
    top = max(float(values.amax()) for values in magnitudes)
    hist = sum(torch.histc(values, bins, 0.0, top or 1.0).double() for values in magnitudes)
    return hist, torch.linspace(0.0, top, bins + 1, device=hist.device)
