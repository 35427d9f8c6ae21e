# loses: 4.5/values
# mistake: counts bytes as count * bits // 8: odd layers cost more than it thinks
def _bytes_of(count, bits):
    return count * bits // 8
