# habit: line magics, shell lines and questions to Jupyter
# drops: pass_to_shell
# %% setup_of_mine
%load_ext autoreload
%autoreload 2
%matplotlib inline
!pip install -q \
    some-package
pip install torch
import torch
?torch.round
torch.clamp??
files = !ls pass_to_shell
where = %pwd
if torch.cuda.is_available():
    !nvidia-smi

# %% 1.1
TEXT = """
%matplotlib inline
!ls
"""
PERCENT = (100
           % 64)


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    assert TEXT.startswith("\n%matplotlib") and PERCENT == 36
    return to_signed(x, scale, bits), scale

# %%
%%bash
echo "rm pass_to_shell"

# %%
%%writefile pass_to_shell.py
x = (
