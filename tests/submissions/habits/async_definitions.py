# habit: coroutines, run by a function, and a cell that awaits at the top level
# drops: download
# %% 1.1
import asyncio


async def amax_of(x):
    return x.abs().amax()


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(asyncio.run(amax_of(x)), bits)
    return to_signed(x, scale, bits), scale

# %%
weights = await download("weights.pt")

def unused():
    return weights

# %% 1.3
data = await download("data.pt"); print(data)
def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point) * scale
