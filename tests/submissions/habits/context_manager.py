# habit: a context manager of one's own, and generators
# %% 1.1
from contextlib import contextmanager, suppress

SETTINGS = {"bits": 8}


@contextmanager
def settings(**new):
    old = dict(SETTINGS)
    SETTINGS.update(new)
    yield SETTINGS
    SETTINGS.update(old)


def powers():
    value = 1
    while True:
        yield value
        value *= 2


with suppress(KeyError):
    SETTINGS["top"] = next(power for power in powers() if power > 100) - 1
    SETTINGS["missing"] = SETTINGS["not there"]


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    with settings(bits=bits) as now:
        top = now["top"] >> (8 - now["bits"])
    scale = torch.where(x.abs().amax() == 0, 1.0, x.abs().amax() / top)
    return torch.round(x / scale).clamp(-top - 1, top).to(torch.int8), scale
