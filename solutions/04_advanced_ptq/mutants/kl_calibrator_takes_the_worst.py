# loses: 4.2/values
# mistake: takes the candidate with the largest finite KL
def quantization_parameters(self):
    if not self.seen:
        raise RuntimeError("nothing was observed")
    levels = 2 ** (self.bits - 1)
    hist, edges = collect_histogram(self.seen)
    candidates = torch.arange(hist.numel(), levels - 1, -1, device=hist.device)
    found = torch.cat([_divergences(hist, some, levels) for some in candidates.split(128)])
    return edges[candidates[found.nan_to_num(posinf=-1.0).argmax()]] / (levels - 1), 0


KLCalibrator.quantization_parameters = quantization_parameters
