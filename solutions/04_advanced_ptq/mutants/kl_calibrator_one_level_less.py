# loses: 4.2/values
# mistake: merges into 2^(bits-1) - 1 levels, those of the scale
def quantization_parameters(self):
    if not self.seen:
        raise RuntimeError("nothing was observed")
    levels = 2 ** (self.bits - 1) - 1
    hist, edges = collect_histogram(self.seen)
    kls = [_divergences(hist, some, levels) for some in torch.arange(hist.numel(), levels - 1, -1).split(128)]
    return edges[hist.numel() - int(torch.cat(kls).argmin())] / levels, 0


KLCalibrator.quantization_parameters = quantization_parameters
