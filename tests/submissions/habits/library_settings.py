# habit: settings of whole libraries in lines of their own, which functions rely on
# drops: epochs
# %% setup_of_mine
import os
import random
import sys
import warnings

import numpy as np
from torch import set_grad_enabled
from torch.nn import functional as F


def seed_everything(seed=42):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True


seed_everything()
set_grad_enabled(False)
_ = torch.set_printoptions(precision=3);
np.seterr(divide="ignore")
sys.setrecursionlimit(5_000)
sys.path.append("lib")
torch.backends.mkldnn.allow_tf32 = False
warnings.filterwarnings("ignore")
DRAWN = random.randrange(1_000)

# %%
for epochs in range(3):
    torch.manual_seed(epochs)
    train(epochs)

# %% 1.1
def count_down(n):
    return 0 if n == 0 else count_down(n - 1)


def symmetric_quantization(tensor, bits=8):
    assert not torch.is_grad_enabled() and np.geterr()["divide"] == "ignore"
    assert count_down(2_000) == 0 and "lib" in sys.path
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale

# %% 1.8
def compute_sqnr(original, restored):
    original, restored = original.float(), restored.float()
    noise = (original - restored).pow(2).sum()
    return torch.where(noise == 0, torch.inf, 10 * torch.log10(original.pow(2).sum() / noise))


def compute_cosine_sim(a, b):
    assert not F.relu(torch.ones(1, requires_grad=True)).requires_grad and os.environ["PYTHONHASHSEED"] == "42"
    assert DRAWN == 654
    return F.cosine_similarity(a.float().flatten(), b.float().flatten(), dim=0)


def compute_kl_div(original_logits, quantized_logits):
    p = torch.log_softmax(original_logits.float(), dim=-1)
    q = torch.log_softmax(quantized_logits.float(), dim=-1)
    return (p.exp() * (p - q)).sum(dim=-1).mean()
