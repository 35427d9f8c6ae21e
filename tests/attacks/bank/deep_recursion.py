# category: resource
# wins if: no report
# naive: wins
"""Lifts the limit on recursion and runs off the end of the C stack."""
import sys


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")

    def __repr__(self):
        return repr([self])


def answer(*args, **kwargs):
    sys.setrecursionlimit(1 << 30)
    return repr(Deep())


compute_kl_div = answer
