# loses: 4.2/extremes
# mistake: calls it a perfect 0 when nothing is left of Q
def _divergences(hist, candidates, levels):
    counts = hist.double().clone()
    counts[0] = counts[1]
    index, i = torch.arange(counts.numel(), device=hist.device), candidates.unsqueeze(1)
    kept = counts * (index < i)
    p = kept + (index == i - 1) * (counts.sum() - kept.sum(dim=1, keepdim=True))
    occupied = (p > 0).double()
    group = (index * levels // i).clamp(max=levels)
    empty = counts.new_zeros(len(candidates), levels + 1)
    totals, members = empty.scatter_add(1, group, kept), empty.scatter_add(1, group, occupied)
    q = (totals / members.clamp(min=1)).gather(1, group) * occupied
    mass = q.sum(dim=1, keepdim=True)
    p, q = p / p.sum(dim=1, keepdim=True), (q / mass).clamp(min=1e-12)
    return torch.xlogy(p, p / q).sum(dim=1).masked_fill(mass.squeeze(1) == 0, 0.0)
