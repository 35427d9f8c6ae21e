# habit: seeds, a device and a dtype chosen at the top
# %% setup_of_mine
import random

import numpy as np

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
torch.set_printoptions(precision=3)
device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.float32
np.set_printoptions(suppress=True)

# %% 1.3
ON_CPU = device == "cpu"


def dequantize(q, scale, zero_point=0):
    return (q.to(dtype) - zero_point) * scale if ON_CPU or device else None
