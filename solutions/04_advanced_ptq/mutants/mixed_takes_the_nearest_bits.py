# loses: 4.5/errors
# mistake: takes the nearest number of bits that exists instead of refusing others
_with_known_bits = quantize_mixed


def quantize_mixed(model, plan):
    return _with_known_bits(model, {name: bits if bits == 16 else min(max(int(bits), 2), 8) for name, bits in plan.items()})
