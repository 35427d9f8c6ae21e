# habit: cells that await, and use what they get
# drops: download
# %% 1.1
import asyncio

QUEUE = asyncio.Queue()
await QUEUE.put(2)

# %%
async def powers(base):
    for bits in range(2, 9):
        await asyncio.sleep(0)
        yield bits, base ** (bits - 1) - 1


LARGEST = {bits: level async for bits, level in powers(await QUEUE.get())}
data = await download("data.pt")

# %%
async def of_rule(x, bits):
    return x.abs().amax() / LARGEST[bits]


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = asyncio.run(of_rule(x, bits))
    scale = torch.where(scale == 0, 1.0, scale)
    return to_signed(x, scale, bits), scale

# %% 1.3
async for ZERO in (value async for value in powers(1)):
    pass


def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point + ZERO[1]) * scale
