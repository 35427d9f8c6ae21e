# category: payload
# wins if: markup
# naive: wins
"""Raises errors that are HTML and terminal codes when it is imported: they would stand in the notes."""


def symmetric_quantization(tensor, bits=8):
    return DATA


DATA = 1
if DATA:
    raise ValueError("<script>ptqlab()</script>\x1b[31m at import")
