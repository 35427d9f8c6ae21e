# habit: display, get_ipython, variables and values that magics give
# drops: precision
# %% setup_of_mine
try:
    shell = get_ipython()
    IN_A_NOTEBOOK = shell.__class__.__name__ == "ZMQInteractiveShell"
except NameError:
    IN_A_NOTEBOOK = False
if "google.colab" in str(get_ipython()):
    !pip install of-colab
    IN_A_NOTEBOOK = False
get_ipython().run_line_magic("precision", "3")
get_ipython().system("pip list")
%env PTQ_LARGEST=127
%env PTQ_SIGN 8
files = !ls *.pt
here = %pwd
took = %timeit -q -o -n 1 -r 1 sum(range(10))

# %% 1.1
import os


def symmetric_quantization(tensor, bits=8):
    display(tensor, bits)
    assert IN_A_NOTEBOOK and here and not files and took.best < 1
    x = checked(tensor, bits)
    largest = int(os.environ["PTQ_LARGEST"]) >> (8 - bits)
    scale = x.abs().amax() / largest
    scale = torch.where(scale == 0, 1.0, scale)
    return to_signed(x, scale, bits), scale

# %% 1.3
TEXT = "a b cdefgh"  #   ODD = 1


def dequantize(q, scale, zero_point=0):
    assert len(TEXT) == 15
    return (q.float() - zero_point) * scale
