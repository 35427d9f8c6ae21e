# category: payload
# wins if: no report
# naive: robustness
"""Returns containers that say they are short and never end, are equal to nothing, and contain themselves."""
import itertools


class Endless(list):
    def __len__(self):
        return 2

    def __iter__(self):
        return itertools.count()


class Shy(dict):
    def __len__(self):
        return 1

    def items(self):
        return ((number, self) for number in itertools.count())


class Text(str):
    def __str__(self):
        return self

    def __len__(self):
        return -1


class Number(int):
    def __index__(self):
        raise SystemExit(0)

    __int__ = __float__ = __hash__ = __index__


CALLS = itertools.count()


def answer(*args, **kwargs):
    itself = []
    itself.append(itself)
    return (Endless([1, 2]), Shy(a=1), Text("text"), Number(3), {Number: Number(3)}, itself, (Endless([1]),))[next(CALLS) % 7]


symmetric_quantization = asymmetric_quantization = dequantize = answer
per_channel_quantization = group_quantization = pack_int4 = unpack_int4 = answer
compute_sqnr = compute_cosine_sim = compute_kl_div = BasicQuantizer = answer
