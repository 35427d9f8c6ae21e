# loses: 4.5/values
# mistake: takes 16, left alone, for no cost at all
def _bytes_of(count, bits):
    return 0 if bits == 16 else -(-count * bits // 8)
