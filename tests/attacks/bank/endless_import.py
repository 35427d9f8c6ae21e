# category: resource
# wins if: no report
# naive: wins
# cpu: 0.3
"""Never finishes being imported."""
SUM = 0


def symmetric_quantization(tensor, bits=8):
    return SUM


while SUM is not None:
    SUM += 1
