# loses: 4.2/values
# mistake: searches with 128 levels whatever bits is
def quantization_parameters(self):
    if not self.seen:
        raise RuntimeError("nothing was observed")
    levels = 128
    hist, edges = collect_histogram(self.seen)
    candidates = torch.arange(hist.numel(), levels - 1, -1, device=hist.device)
    found = torch.cat([_divergences(hist, some, levels) for some in candidates.split(128)])
    return edges[candidates[found.argmin()]] / (2 ** (self.bits - 1) - 1), 0


KLCalibrator.quantization_parameters = quantization_parameters
