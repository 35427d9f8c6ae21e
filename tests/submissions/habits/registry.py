# habit: implementations enter a registry by a decorator, the graded function looks them up
# %% 1.1
RULES = {}


def rule(name):
    def enter(function):
        RULES[name] = function
        return function

    return enter


class Store:
    def __init__(self):
        self.items = {}

    def put(self, key, value):
        self.items[key] = value


STORE = Store()
STORE.put("dtype", torch.int8)


@rule("scale")
def _of_the_largest(x, bits):
    return x.abs().amax() / (2 ** (bits - 1) - 1)


@rule("usable")
def _(scale):
    return torch.where(scale == 0, 1.0, scale)


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = RULES["usable"](RULES["scale"](x, bits))
    return to_signed(x, scale, bits).to(STORE.items["dtype"]), scale
