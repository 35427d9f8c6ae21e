# loses: 4.5/values
# mistake: the largest number of bits that every layer can have
def assign_bits(sensitivity, sizes, budget_bytes):
    every = sorted({bits for offered in sensitivity.values() for bits in offered}, reverse=True)
    for most in every:
        plan = {name: max((b for b in offered if b <= most), default=min(offered)) for name, offered in sensitivity.items()}
        if sum(_bytes_of(sizes[name], bits) for name, bits in plan.items()) <= budget_bytes:
            return plan
    raise ValueError("the budget is too small")
