# loses: 4.5/values
# mistake: a table with a place for every byte of the budget: too large for layers of millions of weights
import numpy as np


def assign_bits(sensitivity, sizes, budget_bytes):
    best, choices = np.zeros(int(min(budget_bytes, sum(sizes[n] * 2 for n in sensitivity))) + 1), []
    for name, offered in sensitivity.items():
        fresh, chosen = np.full(len(best), np.inf), np.zeros(len(best), dtype=np.int64)
        for bits in sorted(offered):
            cost = math.ceil(sizes[name] * bits / 8)
            if cost < len(best):
                total = best[: len(best) - cost] + offered[bits]
                better = total < fresh[cost:]
                fresh[cost:][better], chosen[cost:][better] = total[better], bits
        best = fresh
        choices.append(chosen)
    if not np.isfinite(best[-1]):
        raise ValueError("no plan fits into the budget")
    left, plan = len(best) - 1, {}
    for name, chosen in zip(reversed(list(sensitivity)), reversed(choices)):
        plan[name] = int(chosen[left])
        left -= math.ceil(sizes[name] * plan[name] / 8)
    return plan
