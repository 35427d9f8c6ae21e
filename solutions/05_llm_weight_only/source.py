# %% [markdown] lang="en"
# # Lab 05 · INT4 for large language models
#
# *Lab 3.1 Post-Training Quantization, notebook 5 of 5 · 10 bonus points · 90–120 minutes*
#
# A language model of seven billion weights fills 13.5 GB in half precision. In this notebook you bring such a
# checkpoint down to 4 bits a weight, on a machine that could never hold it whole: file by file, tensor by
# tensor. Then you read the small files back into a model that still predicts.
#
# You will be able to
#
# - reckon what a language model needs: weights, KV cache, bandwidth;
# - read and write sharded safetensors checkpoints lazily, in memory that doesn't grow with the model;
# - make a tool that either finishes or leaves nothing behind;
# - say when 4-bit weights make a model faster, and when they don't.
#
# **How to work.** As before: replace `# Your code here.` and the `raise` below it, run the cell, then the
# `check` cell below it. Everything here is bonus.

# %% [markdown] lang="zh-TW"
# # Lab 05 · 大型語言模型的 INT4
#
# Lab 3.1 訓練後量化實戰，第 5 份筆記本（共 5 份）· 10 分加分題 · 90–120 分鐘
#
# 一個有七十億個權重的語言模型，用半精度要 13.5 GB。在這份筆記本裡，你要在一台根本裝不下整個模型的機器上，把這
# 樣的檢查點（checkpoint）壓到每個權重 4 位元：一個檔案接一個檔案，一個張量接一個張量。然後再把這些小檔案讀回
# 來，變成一個仍然會預測的模型。
#
# 完成之後，你將能夠
#
# - 估算一個語言模型需要什麼：權重、KV 快取、頻寬；
# - 以延遲載入的方式讀寫分片的 safetensors 檢查點，記憶體不隨模型變大；
# - 寫出一個要嘛完成、要嘛不留痕跡的工具；
# - 說明 4 位元權重什麼時候會讓模型變快，什麼時候不會。
#
# **進行方式。** 和之前一樣：把 `# Your code here.` 和下面的 `raise` 換成你的程式，執行它，再執行下方的 `check`。
# 這份筆記本全部都是加分題。

# %% [markdown] lang="en"
# ## 1 · Why the weights alone?
#
# Notebooks 02 and 03 quantized weights *and* activations, so that the products could be computed in
# integers. For a large language model that serves one user, another thing counts. Each new token needs every
# weight once, and a weight that was fetched from memory is used for a single multiplication. The processor
# waits for memory. So the weights are stored in 4 bits, turned back into floats on the way, and multiplied in
# floating point: *weight-only* quantization. Activations stay as they are.
#
# The arithmetic for Llama-2-7B (32 layers of width 4096). With groups of 128 and a 16-bit scale each, a weight takes
# 4 + 16/128 = 4.125 bits; the *KV cache* holds a key and a value of every layer for each token of the
# conversation.

# %% [markdown] lang="zh-TW"
# ## 1 · 為什麼只量化權重？
#
# 第 02、03 份筆記本同時量化權重**和**激活值，好讓乘法用整數來算。但對只服務一位使用者的大型語言模型來說，關鍵是
# 另一件事：每產生一個新 token，每個權重都要用到一次，而從記憶體搬來的權重只拿來做一次乘法。處理器都在等記憶體。
# 所以權重用 4 位元儲存，搬運途中還原成浮點數，再用浮點數相乘：這就是**僅權重**（weight-only）量化。激活值維持
# 原樣。
#
# 以 Llama-2-7B（32 層，寬度 4096）來算。128 個一組，每組一個 16 位元的縮放係數，一個權重要花 4 + 16/128 = 4.125
# 位元；**KV 快取**則為對話裡的每個 token，在每一層各存一個 key 和一個 value。

# %%
parameters, layers, width = 6_738_415_616, 32, 4096  # Llama-2-7B
bandwidths = {"laptop, two channels of DDR5": 80e9, "graphics card": 1000e9}  # bytes a second, rounded
for name, bits in {"float16": 16, "int8": 8, "int4, groups of 128": 4 + 16 / 128}.items():
    size = parameters * bits / 8
    bounds = [f"{1e3 * size / bandwidth:5.0f} ms" for bandwidth in bandwidths.values()]
    print(f"{name:20} {size / 1e9:6.2f} GB   to read it once: {bounds[0]} ({bounds[1]} on a graphics card)")
cache = 2 * layers * width * 2  # a key and a value, float16
print(f"KV cache: {cache / 2**20:.1f} MiB a token, {4096 * cache / 1e9:.2f} GB for 4096 tokens")

# %% [markdown] lang="en"
# The time to read all weights once is a floor under the time for one token, whatever the processor can
# compute. That is why 4-bit weights can make generation faster although not one multiplication is saved.
#
# **When they don't.** A server that answers a hundred users in one batch uses each weight a hundred times. Then
# arithmetic counts, turning 4 bits back into floats is extra work, and weight-only quantization *slows it down*.
# The same library shows both:
#
# | torchao, measured by its authors | against bfloat16 |
# |---|---|
# | Llama-3-8B, A100, one user, int4 in groups of 64 | 1.89× (181 tokens/s, not 96) |
# | Llama-3-8B, A100, one user, int8 weights | 1.60× |
# | Llama-3.1-8B, H100, server (vLLM), int8 weights | 0.65× generating, 0.91× reading the prompt |
# | Llama-3.1-8B, H100, server (vLLM), fp8 weights and activations | 1.21× and 1.46× |
#
# Sources: [torchao's README of 2024][torchao-readme] and [its page on inference][torchao-inference]. Size is certain,
# speed depends on hardware, kernel and batch: no score here depends on it. In this notebook the weights are
# restored when the model is loaded, so files become small and nothing becomes faster; a fast kernel would
# keep them packed.
#
# **Where it is used.** On *laptops and phones* (llama.cpp, MLC) memory decides whether a model runs at all. In the
# *cloud*, 4-bit weights fit a large model on one GPU instead of two. At the *edge* and in *real-time* systems it is the
# predictable, small number of bytes that counts. Notebook 01 has the longer list.
#
# **PTQ or QAT?** Rounding to 4 bits costs a large model little and a small one more. When it is too much, better
# rounding comes first (GPTQ and AWQ in notebook 04, from a few hundred samples), and training with rounding in
# the loop (QAT, Lab 3.2) when that is not enough.
#
# [torchao-readme]: https://github.com/pytorch/ao/blob/03d01adcbcf8f85b0e61bef84957013b89e6902f/torchao/quantization/README.md
# [torchao-inference]: https://docs.pytorch.org/ao/main/workflows/inference.html

# %% [markdown] lang="zh-TW"
# 不管處理器多會算，把所有權重讀一遍的時間，就是產生一個 token 的時間下限。所以即使一次乘法也沒省，4 位元權重仍
# 然可能讓生成變快。
#
# **什麼時候不會。** 伺服器一次為一百位使用者作答時，每個權重會用上一百次。這時候運算量才是關鍵，把 4 位元還原成
# 浮點數成了額外的工作，僅權重量化反而**變慢**。同一個函式庫，兩種結果都有：
#
# | torchao，作者自己的測量 | 與 bfloat16 相比 |
# |---|---|
# | Llama-3-8B，A100，一位使用者，int4，64 個一組 | 1.89×（每秒 181 個 token，原本 96 個） |
# | Llama-3-8B，A100，一位使用者，int8 權重 | 1.60× |
# | Llama-3.1-8B，H100，伺服器（vLLM），int8 權重 | 生成 0.65×，讀提示 0.91× |
# | Llama-3.1-8B，H100，伺服器（vLLM），fp8 權重與激活值 | 1.21× 與 1.46× |
#
# 資料來源：[torchao 2024 年的 README][torchao-readme] 與[推論頁面][torchao-inference]。體積一定變小，速度則取決於硬
# 體、運算核心與批次大小，所以這裡的分數都與速度無關。在這份筆記本裡，權重在載入時就還原，所以檔案變小，但不會
# 變快；真正快的運算核心會讓權重保持打包的樣子。
#
# **用在哪裡。** 在**筆電和手機**上（llama.cpp、MLC），記憶體決定模型到底跑不跑得起來。在**雲端**，4 位元權重讓大
# 模型只用一張 GPU，而不是兩張。在**邊緣**和**即時**系統裡，重要的是位元組少，而且數量可以預期。更完整的清單在第
# 01 份筆記本。
#
# **PTQ 還是 QAT？** 捨入到 4 位元，大模型損失不多，小模型損失較多。損失太大時，先用更好的捨入方法（第 04 份筆記
# 本的 GPTQ 與 AWQ，只要幾百筆資料）；還是不夠，再在訓練中加入捨入（QAT，Lab 3.2）。
#
# [torchao-readme]: https://github.com/pytorch/ao/blob/03d01adcbcf8f85b0e61bef84957013b89e6902f/torchao/quantization/README.md
# [torchao-inference]: https://docs.pytorch.org/ao/main/workflows/inference.html

# %% [markdown] lang="en"
# ## 2 · Setup
#
# The model is a small Llama (4 layers of width 256, 3.5 million weights), trained on Python's own documentation.
# Large models have something that small ones lack: columns of a weight that differ by an order of magnitude.
# `with_uneven_channels` gives it that. It multiplies every second block of 128 channels by 8 and divides what
# reads them by 8; powers of two change exponents only, so the model computes *bit by bit the same*.

# %% [markdown] lang="zh-TW"
# ## 2 · 環境設定
#
# 模型是一個小的 Llama（4 層，寬度 256，350 萬個權重），用 Python 自己的說明文件訓練而成。大模型有個小模型沒有的特
# 徵：同一個權重矩陣裡，各行的大小可以差到一個數量級。`with_uneven_channels` 把這個特徵加進來：每隔一個 128 通道的
# 區塊乘以 8，讀取它的權重則除以 8。二的冪只改變指數，所以模型算出來的結果**每個位元都相同**。

# %%
import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from autograder.lab import (
    batches,
    check,
    compare,
    discard,
    folder_bytes,
    large_checkpoint,
    load_batches,
    load_model,
    log_experiment,
    peak_memory_mb,
    plot_bits,
    plot_memory,
    with_uneven_channels,
)

model = with_uneven_channels(load_model("tiny-llama"))
evaluation = batches(load_batches("tiny-llama", "evaluation"), count=4, size=16)
print(f"{sum(p.numel() for p in model.parameters()):,} weights")
for name, parameter in list(model.named_parameters())[:4]:
    print(f"{name:42} {list(parameter.shape)}")

# %% [markdown] lang="en"
# ### Your own tools
#
# You have written them: `group_quantization`, `pack_int4`, `unpack_int4` and `compute_kl_div` in notebook 01,
# `perplexity` in notebook 03. Copy them into the next cell. The first three you need for the tasks, the other two for the
# measurements at the end; without them their columns just stay empty, if you leave functions there that
# raise `NotImplementedError`.

# %% [markdown] lang="zh-TW"
# ### 你自己的工具
#
# 這些你都寫過了：第 01 份筆記本的 `group_quantization`、`pack_int4`、`unpack_int4` 和 `compute_kl_div`，第 03 份的
# `perplexity`。把它們複製到下一個儲存格。前三個是任務要用的，後兩個是最後測量時要用的；沒有的話，留下會丟出
# `NotImplementedError` 的函式，對應的欄位就會空著。


# %%
### BEGIN SOLUTION
def group_quantization(weight, bits=4, group_size=128):
    """Codes int8 [out, in] and scales float32 [out, in / group_size], symmetric (task 1.6)."""
    groups = weight.float().unflatten(1, (-1, group_size))
    top = 2 ** (bits - 1) - 1
    scale = groups.abs().amax(dim=-1) / top
    scale = scale.masked_fill(scale == 0, 1.0)
    return torch.round(groups / scale.unsqueeze(-1)).clamp(-top - 1, top).to(torch.int8).flatten(1), scale


def pack_int4(q):
    """Two codes a byte, the first one in the low nibble (task 1.7)."""
    nibbles = (q & 0x0F).to(torch.uint8)
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)


def unpack_int4(packed):
    """The codes again, int8 (task 1.7)."""
    nibbles = torch.stack((packed & 0x0F, packed >> 4), dim=-1).flatten(-2).to(torch.int8)
    return (nibbles ^ 8) - 8


def compute_kl_div(original_logits, quantized_logits):
    """KL(original ‖ quantized) in nats, the mean over rows (task 1.8)."""
    log_p, log_q = original_logits.float().log_softmax(-1), quantized_logits.float().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@torch.no_grad()
def perplexity(model, batches):
    """exp of the mean next-token loss over all predicted tokens (task 3.4)."""
    total = count = 0
    for batch in batches:
        logits, ids = model(**batch).logits[:, :-1], batch["input_ids"][:, 1:]
        total += torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids.flatten(), reduction="sum").item()
        count += ids.numel()
    return float(torch.tensor(total / count).exp())


### END SOLUTION

# %% [markdown] lang="en"
# ## 3 · A checkpoint is a folder
#
# Models are published as a folder: `config.json` says how the network is built, the weights lie in *shards*,
# and `model.safetensors.index.json` says which tensor lies in which shard. We write our model in this form, in
# half precision as Llama is published, in shards of at most 2 MB (real ones have 5 to 10 GB).

# %% [markdown] lang="zh-TW"
# ## 3 · 檢查點是一個資料夾
#
# 模型以資料夾的形式發布：`config.json` 說明網路怎麼建，權重放在幾個**分片**（shard）裡，
# `model.safetensors.index.json` 記錄哪個張量在哪個分片。我們把模型寫成這種形式，和 Llama 一樣用半精度，每個分片最
# 多 2 MB（真正的是 5 到 10 GB）。

# %%
work = Path(tempfile.mkdtemp(prefix="lab05-"))
source = work / "tiny-llama"
halves = {name: value.half() for name, value in model.state_dict().items()}
transformers.utils.logging.disable_progress_bar()
model.save_pretrained(source, state_dict=halves, max_shard_size="2MB")

for path in sorted(source.iterdir()):
    print(f"{path.stat().st_size:>9,} bytes  {path.name}")
index = json.loads((source / "model.safetensors.index.json").read_text(encoding="utf-8"))
print("\nmetadata:", index["metadata"])
for name, file in list(index["weight_map"].items())[:3]:
    print(f"{name} -> {file}")

# %% [markdown] lang="en"
# A safetensors file is plain: eight bytes say how long the header is; the header is JSON and says of each tensor
# its dtype, its shape, and from which byte to which it lies; then come the bytes. So one tensor can be read
# without touching the others, and no code is run while reading, as pickle would. `safe_open` reads the header
# only; `get_tensor` gives you one tensor.

# %% [markdown] lang="zh-TW"
# safetensors 檔案很單純：前八個位元組說明檔頭有多長；檔頭是 JSON，寫著每個張量的型別、形狀，以及從第幾個位元組到第
# 幾個位元組；接著就是資料本身。所以可以只讀一個張量而不碰其他的，而且不像 pickle 那樣會在讀取時執行程式。
# `safe_open` 只讀檔頭，`get_tensor` 給你一個張量。

# %%
first = source / sorted(set(index["weight_map"].values()))[0]
with first.open("rb") as file:
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
print(f"the header has {length:,} bytes; one entry of it: {list(header.items())[1]}")

with safe_open(first, framework="pt") as shard:
    name = next(iter(shard.keys()))
    tensor = shard.get_tensor(name)
print(f"{name}: {tensor.dtype} {list(tensor.shape)}")

# %% [markdown] lang="en"
# ### Memory that counts
#
# `safe_open` *maps* the file: the operating system shows its bytes as memory, loads a page when it is touched, and drops
# it again when memory runs short, since the file still has it. What your program computes has no file
# behind it. This *anonymous* memory is what kills a process when it runs out, and it is what we look at
# (`RssAnon` in Linux). Converting to float32 makes anonymous memory:

# %% [markdown] lang="zh-TW"
# ### 真正要算的記憶體
#
# `safe_open` 會把檔案**映射**（map）進來：作業系統讓檔案內容看起來像記憶體，碰到某一頁才載入，記憶體不夠時又可以
# 丟掉，反正檔案裡還有。而你的程式算出來的東西，背後沒有檔案。這種**匿名記憶體**用完了，程式就會被終止，所以我們
# 看的就是它（Linux 裡的 `RssAnon`）。轉成 float32 就會產生匿名記憶體：


# %%
def read_all(folder):
    """Every tensor in float32, all at once."""
    return {
        name: t.float() for path in sorted(Path(folder).glob("*.safetensors")) for name, t in load_file(path).items()
    }


def read_one_by_one(folder):
    """Every tensor in float32, one after the other; each is let go before the next."""
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as shard:
            for name in shard.keys():
                shard.get_tensor(name).float()


large = large_checkpoint(layers=24, width=256, inner=768, vocabulary=1024)  # random weights, one shard a layer
for function in (read_all, read_one_by_one):
    peak = peak_memory_mb(function, large)
    told = "can't be told on this system" if peak is None else f"{peak:.0f} MB"
    print(f"{function.__name__:16} {told} for a checkpoint of {folder_bytes(large) / 2**20:.0f} MB")
discard(large)

# %% [markdown] lang="en"
# ## Task 5.1 · Quantize a checkpoint, streamed
#
# Write `quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128)`.
#
# - **Linears, embedding and head** (all that has two dimensions) are quantized symmetrically in groups of `group_size`
#   along each row, as in task 1.6, and packed. Llama-2-7B has a quarter of a billion weights in its embedding and its head.
# - **Norms** are kept as floats, with their values: they are few, and delicate.
# - **Every file counts.** From float16 to at most a 3.4th of the bytes: 16 / 4.125 is 3.88, and scales in float32 make it
#   3.76.
# - **It is a checkpoint again**: `config.json`, safetensors shards, and an index that names exactly the tensors in them.
# - **Memory doesn't grow with the model.** One four times larger may take one shard and 16 MB more; no output shard is
#   larger than the largest source shard.
# - **All or nothing.** When anything fails, an error, and no file is left in `target_dir` or beside it: half a model that
#   looks whole is worse than none.
# - **`bits`** is 2 to 8, else a `ValueError`, as everywhere.
#
# How codes and scales are laid out and named is up to you: `load_checkpoint` is the only one who reads them.
# `target_dir` does not exist yet, the folder around it does.
#
# By hand: a matrix `[256, 512]` has 131,072 weights. Packed, two to a byte, they take 65,536 bytes; 256 × 4 scales in
# float16 take 2,048. Together 67,584 bytes instead of 262,144: 3.88×.
#
# A row of zeros is ordinary (the embedding of a padding token): it must come back as zeros. And a quantized
# checkpoint should say in itself with how many bits and which groups it was made; `config.json` is a good
# place.

# %% [markdown] lang="zh-TW"
# ## 任務 5.1 · 串流量化檢查點
#
# 請寫出 `quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128)`。
#
# - **線性層、嵌入與 head**（所有二維的張量）沿著每一列，以 `group_size` 個一組做對稱量化，和任務 1.6 一樣，然後打包。
#   Llama-2-7B 的嵌入與 head 有兩億六千多萬個權重。
# - **norm** 保留為浮點數，值不變：數量少，又很敏感。
# - **所有檔案都算。** 從 float16 縮到至多 3.4 分之一：16 / 4.125 是 3.88，縮放係數用 float32 則是 3.76。
# - **結果仍是檢查點**：有 `config.json`、safetensors 分片，以及剛好列出其中所有張量的索引。
# - **記憶體不隨模型變大。** 模型變成四倍大時，最多只能多用一個分片加 16 MB；輸出分片不大於最大的來源分片。
# - **要嘛完成，要嘛什麼都沒有。** 只要出任何錯，就要有錯誤訊息，而且 `target_dir` 裡和旁邊都不留下檔案：看起來完整的半個
#   模型，比沒有還糟。
# - **`bits`** 是 2 到 8，否則是 `ValueError`，和其他地方一樣。
#
# 整數碼和縮放係數怎麼排、叫什麼名字，由你決定：只有 `load_checkpoint` 會讀它們。`target_dir` 還不存在，它所在的資料
# 夾則存在。
#
# 手算一次：`[256, 512]` 的矩陣有 131,072 個權重。兩個裝一個位元組，打包後是 65,536 位元組；256 × 4 個 float16 縮放係
# 數是 2,048 位元組。合計 67,584 位元組，原本是 262,144：3.88×。
#
# 全為零的一列很常見（填補用 token 的嵌入）：還原後必須仍然是零。另外，量化後的檢查點應該自己記住用了幾個位元、多
# 大的組；`config.json` 是個好地方。

# %%
### BEGIN SOLUTION
INDEX = "model.safetensors.index.json"
BLOCK = 1 << 18  # weights that are worked on at a time: what lies in float32 stays small, whatever the matrix


def _quantize_matrix(weight, bits, group_size):
    """The packed codes (uint8) and the scales (float16) of a whole matrix, block by block; zeros fill the last group."""
    filled = -weight.shape[1] % group_size
    rows, columns = weight.shape[0], weight.shape[1] + filled
    packed = torch.empty(rows, columns // 2 if bits <= 4 else columns, dtype=torch.uint8)
    scale = torch.empty(rows, columns // group_size, dtype=torch.float16)
    step = max(1, BLOCK // columns)
    for at in range(0, rows, step):
        block = torch.nn.functional.pad(weight[at : at + step], (0, filled))
        codes, scale[at : at + step] = group_quantization(block, bits, group_size)
        packed[at : at + step] = pack_int4(codes) if bits <= 4 else codes.view(torch.uint8)
    return packed, scale


def _quantize_shard(source, target, bits, group_size):
    """Write one shard with every matrix packed; returns the names and the bytes of what was written."""
    written = {}
    with safe_open(source, framework="pt") as shard:
        for name in shard.keys():
            tensor = shard.get_tensor(name)
            if tensor.dim() == 2:
                written[f"{name}.packed"], written[f"{name}.scale"] = _quantize_matrix(tensor, bits, group_size)
            else:
                written[name] = tensor
    save_file(written, target, metadata={"format": "pt"})
    return list(written), sum(tensor.nbytes for tensor in written.values())


def _shards_of(source):
    """The files that hold the tensors: those of the index, or the one that needs none."""
    if not (source / INDEX).exists() and (source / "model.safetensors").exists():
        return ["model.safetensors"]
    return sorted(set(json.loads((source / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))


def _quantize_all(source, target, bits, group_size):
    """Every shard, then the index and the config of what was written."""
    weight_map, total, shards = {}, 0, _shards_of(source)
    for shard in shards:
        names, size = _quantize_shard(source / shard, target / shard, bits, group_size)
        weight_map |= dict.fromkeys(names, shard)
        total += size
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (target / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
    for path in sorted((*source.glob("tokenizer*"), *source.glob("special_tokens_map.json"))):
        shutil.copyfile(path, target / path.name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["weight_only"] = {"bits": bits, "group_size": group_size}
    (target / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


### END SOLUTION
def quantize_checkpoint(source_dir, target_dir, bits=4, group_size=128):
    """Quantize the weights of a sharded Llama checkpoint, streamed, into a new folder.

    source_dir  a folder with config.json, model.safetensors.index.json and the shards; float16, bfloat16 or float32
    target_dir  a folder that does not exist yet; what is around it does
    bits        int, 2 to 8: four and fewer are packed two to a byte
    group_size  neighbouring weights of a row that share a scale; a row's last group may be shorter
    raises      ValueError: bits out of range; any error: something was wrong with the source, and no file is left
    """
    ### BEGIN SOLUTION
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError(f"bits must be an int from 2 to 8, got {bits!r}")
    source, target = Path(source_dir), Path(target_dir)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        _quantize_all(source, unfinished, bits, group_size)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # gone already when all went well
    ### END SOLUTION


# %%
check("5.1")

# %% [markdown] lang="en"
# ## Task 5.2 · Load the quantized checkpoint
#
# Write `load_checkpoint(target_dir) -> nn.Module`: from the files of 5.1 alone, a Llama model that predicts. The hidden
# tests quantize a model that you don't have, carry the files into a fresh process, and call `load_checkpoint`
# there on text that nobody has seen. Its outputs must differ from the float model's by at most 1.5 times the KL that
# ordinary rounding in groups of 128 costs: a scale for a whole row, or 3 bits, lie far beyond that.
#
# It may restore the weights to float32 while loading. `transformers.LlamaConfig.from_dict(…)` and
# `transformers.LlamaForCausalLM(config)` build the network, with random weights; fill them.
#
# By hand: the byte 0xE1 holds the codes 1 and −2 (notebook 01). If both belong to a group with the scale 0.05, the
# weights are 0.05 and −0.1.
#
# Beware of parameters that nothing is copied into: the model runs, and guesses. A head that is tied to the
# embedding (`tie_word_embeddings` in the config) has no tensor of its own in the checkpoint and needs none.

# %% [markdown] lang="zh-TW"
# ## 任務 5.2 · 載入量化後的檢查點
#
# 請寫出 `load_checkpoint(target_dir) -> nn.Module`：只靠 5.1 寫出的檔案，得到一個會預測的 Llama 模型。隱藏測試會量化一
# 個你沒有的模型，把檔案搬到一個全新的行程裡，在那裡呼叫 `load_checkpoint`，用誰都沒看過的文字來測。它的輸出與浮
# 點模型的 KL，最多只能是「128 個一組的一般捨入」的 1.5 倍：整列共用一個縮放係數，或只用 3 位元，都遠遠超過。
#
# 載入時可以直接把權重還原成 float32。`transformers.LlamaConfig.from_dict(…)` 和 `transformers.LlamaForCausalLM(config)`
# 會建好網路，裡面是亂數權重；由你填入。
#
# 手算一次：位元組 0xE1 裝著整數碼 1 和 −2（第 01 份筆記本）。如果它們所屬的組縮放係數是 0.05，權重就是 0.05 和
# −0.1。
#
# 小心沒有被填到的參數：模型照樣會跑，只是在亂猜。與嵌入共用權重的 head（config 裡的 `tie_word_embeddings`）在檢查點
# 裡沒有自己的張量，也不需要。


# %%
### BEGIN SOLUTION
def _restored(packed, scale, bits, group_size):
    """float32 weights [out, in] from packed codes and scales."""
    codes = unpack_int4(packed) if bits <= 4 else packed.view(torch.int8)
    return (codes.unflatten(1, (-1, group_size)) * scale.float().unsqueeze(-1)).flatten(1)


### END SOLUTION
@torch.no_grad()
def load_checkpoint(target_dir):
    """The model that `quantize_checkpoint` wrote into a folder.

    target_dir  the folder; nothing else is needed, and nothing in it is changed
    returns     a LlamaForCausalLM in eval mode, called as model(input_ids=…)
    """
    ### BEGIN SOLUTION
    folder = Path(target_dir)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    how = config.pop("weight_only")
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_dict(config))
    waiting = dict(model.named_parameters())  # what is tied stands here once
    shards = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    for file in sorted(shards):
        with safe_open(folder / file, framework="pt") as shard:
            for name in shard.keys():
                own = name.removesuffix(".packed")
                if own != name:
                    scale = shard.get_tensor(f"{own}.scale")
                    weight = waiting.pop(own)
                    weight.copy_(_restored(shard.get_tensor(name), scale, **how)[:, : weight.shape[1]])
                elif not name.endswith(".scale"):
                    waiting.pop(name).copy_(shard.get_tensor(name))
    if waiting:
        raise ValueError(f"the checkpoint lacks {', '.join(waiting)}")
    return model.eval()
    ### END SOLUTION


# %%
check("5.2")

# %% [markdown] lang="en"
# ## 4 · What did it cost?
#
# `compare` calls the functions that it is given and sets the rows beside each other. Sizes are those of the folders,
# every file counted, against float32. Since the rows are restored to float32 when they are loaded, the table
# has no column for speed.

# %% [markdown] lang="zh-TW"
# ## 4 · 代價有多大？
#
# `compare` 呼叫你給它的函式，把結果並排列出。大小是資料夾裡所有檔案的總和，與 float32 相比。因為每一列載入時都還原
# 成 float32，所以表裡沒有速度這一欄。

# %%
settings = {
    "int8, groups of 128": (8, 128),
    "int4, groups of 128": (4, 128),
    "int4, groups of 32": (4, 32),
    "3 bits, groups of 128": (3, 128),
}
models, sizes = {"float32": model}, {id(model): 4 * sum(p.numel() for p in model.parameters())}
for name, (bits, group_size) in settings.items():
    target = work / name
    quantize_checkpoint(source, target, bits, group_size)
    models[name] = load_checkpoint(target)
    sizes[id(models[name])] = folder_bytes(target)

compare(
    models,
    evaluation,
    {"size": lambda model: sizes[id(model)], "perplexity": perplexity, "kl": compute_kl_div},
    name="weight only",
)

# %% [markdown] lang="en"
# Perplexity rises by one percent with 4 bits and by four with 3; KL tells the two apart by a factor of almost six. The
# 3-bit codes lie in nibbles, as the 4-bit ones do, so they are as large and only worse. And int8 just misses the
# promised 4×: scales and norms are bytes, too.
#
# ### How fine should the groups be?
#
# Now every format for itself, in memory: codes are rounded and restored, and the bits are counted with their
# scales. The same model with even channels stands beside it.

# %% [markdown] lang="zh-TW"
# 困惑度（perplexity）在 4 位元時上升百分之一，3 位元時上升百分之四；用 KL 來看，兩者差了將近六倍。3 位元的整數碼和
# 4 位元一樣放在半位元組裡，所以一樣大，只是更差。另外，int8 差一點才到承諾的 4×：縮放係數和 norm 也要占位元組。
#
# ### 組要切多細？
#
# 現在直接在記憶體裡比較各種格式：把整數碼捨入再還原，位元數連同縮放係數一起算。旁邊放上通道均勻的同一個模型。


# %%
@torch.no_grad()
def rounded(model, bits, group_size):
    """A copy of the model whose matrices were quantized and restored; group_size None: one scale a row."""
    made = copy.deepcopy(model)
    for weight in made.parameters():
        if weight.dim() == 2:
            size = group_size or weight.shape[1]
            q, scale = group_quantization(weight, bits, size)
            weight.copy_(q * scale.repeat_interleave(size, dim=1))
    return made


@torch.no_grad()
def kl_of(model, made, batch):
    """KL of the copy's outputs from the model's on one batch."""
    return float(compute_kl_div(model(**batch).logits, made(**batch).logits))


even, rows = load_model("tiny-llama"), []
formats = (
    ("one scale a row, uneven", model, None),
    ("one scale a row, even", even, None),
    ("groups of 128, uneven", model, 128),
    ("groups of 32, uneven", model, 32),
)
for name, original, group_size in formats:
    for bits in (3, 4, 5, 6):
        kl = kl_of(original, rounded(original, bits, group_size), evaluation[0])
        rows.append({"granularity": name, "bits_per_weight": bits + 16 / (group_size or 256), "kl_nats": kl})
        log_experiment("groups", bits=bits, **rows[-1])
plot_bits(rows)

# %% [markdown] lang="en"
# What to see:
#
# - **Even channels: groups hardly matter.** One scale a row costs a fifth more KL than groups of 128. Small models
#   quantize easily; do not conclude from them what a large one needs.
# - **Uneven channels: everything.** With one scale a row the small columns have no levels left, and even 6 bits are worse
#   than 4 bits in groups. The groups don't notice that the channels are uneven, since the blocks coincide with
#   them here; in a real model they coincide roughly.
# - **Bits or groups?** Groups of 32 cost 0.375 bits more than groups of 128, and have less KL. But their line lies to the
#   right of the other: for the same bytes, coarser groups with more bits would be the better buy here. Draw such lines
#   for your own model before you choose.

# %% [markdown] lang="zh-TW"
# 看出什麼：
#
# - **通道均勻時，分組差別不大。** 整列共用一個縮放係數，KL 只比 128 個一組多五分之一。小模型很好量化；別拿它推論大模
#   型需要什麼。
# - **通道不均時，分組就是一切。** 整列共用一個縮放係數，小的行就沒有可用的整數，連 6 位元都比分組的 4 位元差。分組
#   完全感覺不到通道不均，因為這裡的區塊剛好與組對齊；在真實模型裡只是大致對齊。
# - **要位元還是要分組？** 32 個一組比 128 個一組多花 0.375 位元，KL 也比較小。但它的線在另一條的右邊：同樣的位元組
#   數，在這裡用粗一點的組、多一點的位元更划算。替你自己的模型選之前，先畫出這樣的線。

# %% [markdown] lang="en"
# ## 5 · Does the memory stay flat?
#
# Checkpoints of growing size, quantized by your function and, to compare, read whole in float32 first.

# %% [markdown] lang="zh-TW"
# ## 5 · 記憶體真的持平嗎？
#
# 用越來越大的檢查點，一邊用你的函式量化，一邊當作對照，先整個讀成 float32。

# %%
ways = {
    "streamed": lambda folder: quantize_checkpoint(folder, work / f"from-{Path(folder).name}"),
    "read whole": read_all,
}
measured = []
for layers in (6, 12, 24, 48):
    large = large_checkpoint(layers=layers, width=256, inner=768, vocabulary=1024)
    for way, function in ways.items():
        row = {"way": way, "checkpoint_mb": folder_bytes(large) / 2**20, "peak_mb": peak_memory_mb(function, large)}
        measured.append(row)
        log_experiment("memory", **row)
    discard(large)
plot_memory(measured)

# %% [markdown] lang="en"
# The one line rises with the model, the other doesn't: seven or seventy billion weights make no difference to it.
#
# ### The same on the real model
#
# If you have access to Llama-2 and some 20 GB of disk, this is all it takes (not run here):
#
# ```python
# from huggingface_hub import snapshot_download
#
# folder = snapshot_download("meta-llama/Llama-2-7b-hf", allow_patterns=["*.json", "*.safetensors"])
# quantize_checkpoint(folder, "Llama-2-7b-int4")
# ```
#
# Its embedding alone has 131 million weights: if your function works on a whole matrix at a time in float32, that is
# half a gigabyte and more. Working on a few rows at a time costs nothing and makes the peak small.

# %% [markdown] lang="zh-TW"
# 一條線隨模型上升，另一條不會：七十億或七百億個權重，對它來說沒有差別。
#
# ### 換成真正的模型
#
# 如果你能取得 Llama-2，又有大約 20 GB 的硬碟空間，這樣就夠了（這裡不執行）：
#
# ```python
# from huggingface_hub import snapshot_download
#
# folder = snapshot_download("meta-llama/Llama-2-7b-hf", allow_patterns=["*.json", "*.safetensors"])
# quantize_checkpoint(folder, "Llama-2-7b-int4")
# ```
#
# 光是它的嵌入就有 1.31 億個權重：如果你的函式一次處理整個矩陣的 float32，那就是半個 GB 以上。一次只處理幾列，不花
# 什麼代價，尖峰就會很小。

# %%
shutil.rmtree(work)  # everything that this notebook wrote, but for its log

# %% [markdown] lang="en"
# ## 6 · Before you leave
#
# Not graded, but worth thinking about:
#
# 1. Which of your numbers would change if the head were kept in half precision, as many tools do? (In Llama-2-7B it has
#    131 of 6,738 million weights; in the small model 7 %.)
# 2. The scales are half of what groups of 32 cost. Could they be quantized, too? (GGUF's K-quants do so.)
# 3. Your function trusts the index of the source. What should it do with a shard that the index doesn't name?
#
# **Reading**
#
# - B. Jacob et al., *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
#   Inference*, CVPR 2018, [arXiv:1712.05877][jacob]: why integers, and how to train for them.
# - NVIDIA TensorRT, [*Working with Quantized Types*][tensorrt]: weight-only INT4 in blocks, as a compiler sees it.
# - OpenVINO, [*4-bit Weight Quantization*][openvino]: the same idea as a library call, with sensitive layers left at 8
#   bits.
#
# [jacob]: https://arxiv.org/abs/1712.05877
# [tensorrt]: https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-with-quantized-types.html
# [openvino]: https://docs.openvino.ai/2025/openvino-workflow/model-optimization-guide/weight-compression/4-bit-weight-quantization.html

# %% [markdown] lang="zh-TW"
# ## 6 · 離開之前
#
# 不計分，但值得想一想：
#
# 1. 如果像許多工具那樣，讓 head 維持半精度，你的哪些數字會變？（在 Llama-2-7B 裡，它占 67.38 億個權重中的 1.31 億；
#    在小模型裡占 7 %。）
# 2. 32 個一組時，縮放係數就是多出來的成本。它們也能量化嗎？（GGUF 的 K-quants 就這麼做。）
# 3. 你的函式相信來源的索引。如果有一個分片沒列在索引裡，該怎麼辦？
#
# **延伸閱讀**
#
# - B. Jacob 等人，*Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
#   Inference*，CVPR 2018，[arXiv:1712.05877][jacob]：為什麼用整數，以及怎麼為它訓練。
# - NVIDIA TensorRT，[*Working with Quantized Types*][tensorrt]：從編譯器的角度看分塊的僅權重 INT4。
# - OpenVINO，[*4-bit Weight Quantization*][openvino]：同樣的想法變成一次函式庫呼叫，敏感的層留在 8 位元。
#
# [jacob]: https://arxiv.org/abs/1712.05877
# [tensorrt]: https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-with-quantized-types.html
# [openvino]: https://docs.openvino.ai/2025/openvino-workflow/model-optimization-guide/weight-compression/4-bit-weight-quantization.html
