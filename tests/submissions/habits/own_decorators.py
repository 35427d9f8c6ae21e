# habit: a decorator of one's own that checks the arguments
# %% decorator
import functools


def validated(function):
    @functools.wraps(function)
    def wrapper(tensor, bits=8, *args, **kwargs):
        return function(checked(tensor, bits), bits, *args, **kwargs)

    return wrapper


def returns(*dtypes):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            result = function(*args, **kwargs)
            return tuple(part.to(dtype) for part, dtype in zip(result, dtypes))

        return wrapper

    return decorate

# %% 1.1
@validated
@returns(torch.int8, torch.float32)
def symmetric_quantization(tensor, bits=8):
    scale = scale_for(tensor.abs().amax(), bits)
    return torch.round(tensor / scale).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), scale
