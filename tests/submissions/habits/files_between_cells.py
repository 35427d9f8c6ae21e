# habit: a table that one cell writes to a file and another one reads
# drops: plot.png
# %% setup_of_mine
import json
from pathlib import Path

FOLDER = Path("tables")
FOLDER.mkdir(exist_ok=True)

# %%
with open("tables/largest.json", "w") as file:
    json.dump({bits: 2 ** (bits - 1) - 1 for bits in range(2, 9)}, file)
(Path("tables") / "offset.txt").write_text("0.0")
torch.save(torch.tensor(8), "eight.pt")
out = open("notes.txt", mode="w")
out.write("usable")
out.close()
plt.savefig("plot.png")

# %%
%%writefile tables/rule.txt
zero becomes one

# %% 1.1
LARGEST = {int(bits): level for bits, level in json.loads(Path("tables/largest.json").read_text()).items()}


def symmetric_quantization(tensor, bits=8):
    assert open("notes.txt").read() == "usable" and open("./tables/rule.txt").read() == "zero becomes one\n\n"
    x = checked(tensor, bits)
    scale = x.abs().amax() / LARGEST[bits]
    scale = torch.where(scale == 0, 1.0, scale)
    return to_signed(x, scale, bits), scale

# %% 1.3
OFFSET = float(open("tables/offset.txt").read())


def dequantize(q, scale, zero_point=0):
    return (q.float() - zero_point + OFFSET) * scale

# %% 1.7
def pack_int4(q):
    eight = int(torch.load("eight.pt"))
    if q.shape[-1] % 2 or ((q < -eight) | (q >= eight)).any():
        raise ValueError("an odd number of values, or one outside -8...7")
    nibbles = (q.to(torch.int16) & 15).to(torch.uint8)
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)


def unpack_int4(packed):
    nibbles = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(torch.int8)
    return torch.where(nibbles > 7, nibbles - 16, nibbles)
