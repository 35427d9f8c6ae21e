# loses: 4.5/values
# mistake: adds up bits and rounds once, not layer by layer
def _bytes_of(count, bits):
    return count * bits / 8
