# variant of: 4.2
# differs: plain Python lists and loops, written after the definition
def kl_at(hist, i, levels=128):
    counts = [float(count) for count in hist.tolist()]
    if len(counts) < levels:
        raise ValueError("there must be at least as many bins as levels")
    return _kl_of_list(counts, i, levels)


def _kl_of_list(counts, i, levels):
    counts = [counts[1], *counts[1:]]
    p, q = counts[:i], [0.0] * i
    p[-1] += sum(counts[i:])
    for level in range(levels):
        bins = range(-(-level * i // levels), -(-(level + 1) * i // levels))
        filled = [j for j in bins if p[j] > 0]
        for j in filled:
            q[j] = sum(counts[k] for k in bins) / len(filled)
    p_sum, q_sum = sum(p), sum(q)
    if q_sum == 0:
        return math.inf
    return sum(a / p_sum * math.log(a / p_sum / max(b / q_sum, 1e-12)) for a, b in zip(p, q) if a > 0)


class KLCalibrator:
    def __init__(self, bits=8):
        require_bits(bits)
        self.bits, self.seen = bits, []

    def observe(self, tensor):
        require_finite(tensor)
        self.seen.append(tensor)

    def quantization_parameters(self):
        if not self.seen:
            raise RuntimeError("no data")
        levels = 2 ** (self.bits - 1)
        hist, edges = collect_histogram(self.seen)
        counts = hist.tolist()
        best = min(range(len(counts), levels - 1, -1), key=lambda i: _kl_of_list(counts, i, levels))
        return torch.tensor(float(edges[best]) / (levels - 1)), 0
