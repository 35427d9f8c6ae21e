# %% [markdown] lang="en"
# # Lab 03 · Dynamic quantization
#
# *Lab 3.1 Post-Training Quantization, notebook 3 of 5 · 25 points · 75–100 minutes*
#
# Static quantization measures the activations beforehand, on calibration data, and then hopes that the data
# to come looks alike. Language models break that hope: a few *outlier* channels are tens of times larger
# than the rest, and which token meets them changes from sentence to sentence. **Dynamic** quantization
# looks at every activation when it arrives. It needs no calibration, and it can give every *token* a scale
# of its own.
#
# You will be able to
#
# - quantize activations on the fly, one scale a token, and say when that matters;
# - replace the linear layers of GPT-2 and Llama, and their embeddings, by int8 ones, the tied head included;
# - measure what a language model loses (perplexity), and how long it takes (a benchmark that is fair);
# - compare static with dynamic quantization in size, latency, memory and accuracy.
#
# **How to work.** As in notebook 01: replace `# Your code here.` and the `raise` below it, run the cell, run
# the `check` cell below it.

# %% [markdown] lang="zh-TW"
# # Lab 03 · 動態量化
#
# Lab 3.1 訓練後量化實戰，第 3 份筆記本（共 5 份）· 25 分 · 75–100 分鐘
#
# 靜態量化事先用校準資料量好激活值的範圍，然後期待之後的資料也差不多。語言模型會打破這個期待：少數**離群**通道
# 比其他通道大上數十倍，而且哪個詞元（token）會遇到它們，每句話都不同。**動態**量化則是激活值來了才看：不需要校
# 準資料，還能讓每個**詞元**各有自己的縮放係數。
#
# 完成之後，你將能夠
#
# - 即時量化激活值，每個詞元一個縮放係數，並說出什麼時候這很重要；
# - 把 GPT-2 與 Llama 的線性層和嵌入層換成 int8 版本，包括共用權重的輸出層（tied head）；
# - 量出語言模型損失了多少（困惑度，perplexity）、花了多少時間（公平的效能測試）；
# - 從大小、延遲、記憶體與準確率，比較靜態與動態量化。
#
# **進行方式。** 和第 01 份筆記本一樣：把 `# Your code here.` 和下面的 `raise` 換成你的程式，執行它，再執行下方的
# `check`。

# %% [markdown] lang="en"
# ## 1 · Static or dynamic?
#
# Weights never change, so their scales are computed once. Activations are new with every input, and there
# are two ways to find their scales:
#
# | | static (notebook 02) | dynamic (this notebook) |
# |---|---|---|
# | when is the scale computed? | before, from calibration data | in every forward pass, from the data itself |
# | calibration data | needed, and it must be representative | none |
# | granularity of the activations | one scale a layer | one scale a layer or **one a token** |
# | cost at run time | none: the scale is a constant | one maximum over every activation |
# | can new data lie outside the range? | yes: it saturates | never |
# | typical use | CNNs, BERT on fixed hardware, mobile | GPT, Llama and other Transformers on servers |
#
# The maximum costs little beside the matrix product: for a layer of `[in, out]` it reads `in` numbers a
# token, and the product multiplies `in · out`. That is why ONNX Runtime, PyTorch and vLLM all offer dynamic
# int8 for Transformers: the first two with one scale a tensor, vLLM with one a token.

# %% [markdown] lang="zh-TW"
# ## 1 · 靜態還是動態？
#
# 權重不會變，縮放係數算一次就好。激活值每次輸入都不同，找縮放係數有兩種做法：
#
# | | 靜態（第 02 份筆記本） | 動態（這份筆記本） |
# |---|---|---|
# | 何時算縮放係數？ | 事先，用校準資料 | 每次前向傳播，用資料本身 |
# | 校準資料 | 需要，而且要有代表性 | 不需要 |
# | 激活值的粒度 | 每層一個縮放係數 | 每層一個，或**每個詞元一個** |
# | 執行時的代價 | 無：縮放係數是常數 | 每個激活值要求一次最大值 |
# | 新資料會超出範圍嗎？ | 會，然後飽和 | 不會 |
# | 典型用途 | CNN、固定硬體上的 BERT、行動裝置 | 伺服器上的 GPT、Llama 等 Transformer |
#
# 和矩陣乘法相比，求最大值很便宜：對一個 `[in, out]` 的層，每個詞元只要讀 `in` 個數，乘法卻要做 `in · out` 次。
# 所以 ONNX Runtime、PyTorch、vLLM 都為 Transformer 提供動態 int8：前兩者逐張量，vLLM 逐詞元。

# %% [markdown] lang="en"
# ## 2 · Setup
#
# Two small language models, really trained, one of GPT-2's architecture and one of Llama's. Small models
# lack the outlier channels of large ones, so `outliers=True` gives them some: it multiplies two channels
# before each block by 64 and divides the columns that read them by 64. Powers of two only change the
# exponent, so the float model computes *exactly* the same, bit by bit. What changes is how hard its
# activations are to quantize.
#
# With a real checkpoint the same code runs: `load_model("gpt2")`, or the folder of any GPT-2 or Llama
# checkpoint that you have.

# %% [markdown] lang="zh-TW"
# ## 2 · 環境設定
#
# 這裡有兩個真的訓練過的小語言模型，一個是 GPT-2 的架構，一個是 Llama 的架構。小模型沒有大模型那種離群通道，所以
# 用 `outliers=True` 加上去：在每個區塊之前把兩個通道乘以 64，再把讀取它們的那幾行權重除以 64。乘除 2 的次方只會改
# 變指數，所以浮點模型算出來的結果**完全**相同，一個位元都不差；改變的是激活值有多難量化。
#
# 換成真正的模型，同樣的程式也能跑：`load_model("gpt2")`，或任何 GPT-2、Llama 模型的資料夾。

# %%
import contextlib
import copy
import functools
import math
import time

import torch
from IPython.display import display
from torch import nn
from transformers.pytorch_utils import Conv1D

from autograder.lab import (
    batches,
    check,
    compare,
    get_model_size,
    load_batches,
    load_model,
    plot_comparison,
    plot_token_ranges,
)

gpt2 = load_model("tiny-gpt2", outliers=True)
llama = load_model("tiny-llama", outliers=True)
evaluation = batches(load_batches("tiny-llama", "evaluation"), count=2, size=16)
for name, model in (("tiny-gpt2", gpt2), ("tiny-llama", llama)):
    print(f"{name}: {type(model).__name__}, {sum(p.numel() for p in model.parameters()):,} parameters")
print(f"{len(evaluation)} batches of {list(evaluation[0]['input_ids'].shape)} tokens")

# %% [markdown] lang="en"
# **What a layer really sees.** Below is the input of Llama's `down_proj` in the last layer: 16 texts of 64
# tokens. On the left, each channel's largest value: two channels tower over 638 others. On the right, each
# token's largest value. The red line is the range that *one* scale for all of them must cover; a token far
# below it uses a few of the 255 levels and wastes the rest.

# %% [markdown] lang="zh-TW"
# **一個層到底看到什麼。** 下面是 Llama 最後一層 `down_proj` 的輸入：16 段文字，每段 64 個詞元。左圖是每個通道的最大
# 絕對值：有兩個通道遠遠高過其他 638 個。右圖是每個詞元的最大絕對值。紅線是**一個**縮放係數要涵蓋所有詞元時的範
# 圍；離紅線很遠的詞元，255 級裡只用得到幾級，其餘全部浪費。


# %%
def input_of(model, name, batch):
    """What the layer called `name` is given while `model` reads `batch`: float32 [rows, tokens, in]."""
    seen = []
    hook = model.get_submodule(name).register_forward_pre_hook(lambda layer, args: seen.append(args[0]))
    with torch.no_grad():
        model(**batch)
    hook.remove()
    return seen[0]


activation = input_of(llama, "model.layers.3.mlp.down_proj", evaluation[0])
plot_token_ranges(activation, "input of model.layers.3.mlp.down_proj")

# %% [markdown] lang="en"
# ## Task 3.1 · One scale for each token
#
# Symmetric quantization as in notebook 01, in two granularities. `"per_tensor"` finds one scale for
# everything; `"per_token"` finds one for each vector of the last dimension, which keeps its dimension, so
# that the scale of `[batch, tokens, in]` is `[batch, tokens, 1]` and broadcasts:
#
# $$s_t = \frac{\max_i \lvert x_{t,i} \rvert}{2^{b-1}-1}
# \qquad q_{t,i} = \operatorname{clamp}\left(\operatorname{round}\left(\frac{x_{t,i}}{s_t}\right)\right)$$
#
# By hand, 8 bits, two tokens:
#
# | token | per token: scale | q | per tensor: scale | q |
# |---|---|---|---|---|
# | `[1.27, −0.5, 0.3]` | 0.01 | `[127, −50, 30]` | 0.01 | `[127, −50, 30]` |
# | `[0.00254, 0.001, −0.002]` | 0.00002 | `[127, 50, −100]` | 0.01 | `[0, 0, 0]` |
#
# With one scale for both, the second token is gone.
#
# The rules: `bits` is an int from 2 to 8, and `granularity` one of the two, else a `ValueError`. `q` is
# `int8`, the scales are `float32` also for half-precision inputs, computed in float32 (the per-tensor scale
# is 0-dim). A token of nothing but zeros is legal (padding makes them): its scale is positive and finite,
# its codes are 0. No loop over tokens; the results live where the input lives.

# %% [markdown] lang="zh-TW"
# ## 任務 3.1 · 每個詞元一個縮放係數
#
# 和第 01 份筆記本一樣是對稱量化，但有兩種粒度。`"per_tensor"` 全部共用一個縮放係數；`"per_token"` 則是最後一維的每
# 個向量各有一個，而且保留那個維度，所以 `[batch, tokens, in]` 的縮放係數是 `[batch, tokens, 1]`，可以直接廣播：
#
# $$s_t = \frac{\max_i \lvert x_{t,i} \rvert}{2^{b-1}-1}
# \qquad q_{t,i} = \operatorname{clamp}\left(\operatorname{round}\left(\frac{x_{t,i}}{s_t}\right)\right)$$
#
# 手算一次，8 位元，兩個詞元：
#
# | 詞元 | 逐詞元：縮放係數 | q | 逐張量：縮放係數 | q |
# |---|---|---|---|---|
# | `[1.27, −0.5, 0.3]` | 0.01 | `[127, −50, 30]` | 0.01 | `[127, −50, 30]` |
# | `[0.00254, 0.001, −0.002]` | 0.00002 | `[127, 50, −100]` | 0.01 | `[0, 0, 0]` |
#
# 兩者共用一個縮放係數時，第二個詞元就消失了。
#
# 規則：`bits` 是 2 到 8 的整數，`granularity` 是這兩者之一，否則丟出 `ValueError`。`q` 是 `int8`；縮放係數是
# `float32`，輸入是半精度時也一樣，而且要用 float32 計算（逐張量的縮放係數是 0 維）。整個詞元都是零也合法（補零就會這
# 樣）：縮放係數要是有限的正數，整數碼是 0。不要對詞元跑迴圈；結果要留在輸入所在的裝置上。


# %%
### BEGIN SOLUTION
def _largest(x, granularity):
    """The largest |x|: of each vector of the last dimension, [..., 1], or of everything, 0-dim."""
    if granularity == "per_token":
        return x.abs().amax(dim=-1, keepdim=True)
    if granularity == "per_tensor":
        return x.abs().amax()
    raise ValueError(f'granularity must be "per_token" or "per_tensor", got {granularity!r}')


def _codes_and_scale(x, bits=8, granularity="per_token"):
    """Symmetric int8 codes of `x` and their float32 scale."""
    x = x.detach().float()
    highest = 2 ** (bits - 1) - 1
    scale = _largest(x, granularity) / highest
    scale = scale.masked_fill(scale == 0, 1.0)  # a token of zeros: 0 / 0 would be NaN
    return torch.round(x / scale).clamp(-highest - 1, highest).to(torch.int8), scale


### END SOLUTION
def dynamic_quantize(x, bits=8, granularity="per_token"):
    """Quantize activations symmetrically, with scales from these very activations.

    x            [..., n], any floating dtype
    bits         int, 2 to 8
    granularity  "per_token": one scale for each vector of the last dimension; "per_tensor": one for all
    returns      (q, scale): q int8, shaped like x; scale float32, [..., 1] per token, 0-dim per tensor
    raises       ValueError: bits out of range, another granularity
    """
    ### BEGIN SOLUTION
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError(f"bits must be an int from 2 to 8, got {bits!r}")
    return _codes_and_scale(x, bits, granularity)
    ### END SOLUTION


# %%
check("3.1")

# %% [markdown] lang="en"
# **On the real activation.** How many of the 255 levels does a token get, and what does that cost?

# %% [markdown] lang="zh-TW"
# **用在真正的激活值上。** 一個詞元分到 255 級中的幾級？代價是多少？

# %%
for granularity in ("per_tensor", "per_token"):
    q, scale = dynamic_quantize(activation, granularity=granularity)
    highest_used = q.abs().amax(dim=-1).float()
    zeros = (q == 0).float().mean().item()
    error = (q * scale - activation).norm() / activation.norm()
    print(
        f"{granularity:10}  a token's highest level: median {highest_used.median():3.0f} of 127;"
        f"  codes that are 0: {zeros:5.1%};  relative error {error:.4f}"
    )

# %% [markdown] lang="en"
# ## Task 3.2 · A linear layer that quantizes its input on the fly
#
# Let $s_t$ be the scale of token $t$ and $w_o$ the scale of output channel $o$. Both are constant within
# the sum over the inputs $i$, so they come out of it, and what is left is a product of integers:
#
# $$y_{t,o} = \sum_i (s_t\, q^x_{t,i})(w_o\, q^w_{o,i}) + b_o
# = s_t\, w_o \underbrace{\sum_i q^x_{t,i}\, q^w_{o,i}}_{\text{int8} \times \text{int8, summed in int32}} + b_o$$
#
# This is also why activations get a scale per *token* and not per input channel, and weights one per
# *output* channel: a scale that depended on $i$ would be stuck inside the sum.
#
# By hand: a token `[1.27, −0.5]` (scale 0.01, codes `[127, −50]`) and a weight row `[0.254, 0.1]` (scale
# 0.002, codes `[127, 50]`): 127·127 − 50·50 = 13,629, times 0.01 · 0.002 = 0.27258. In float it is 0.27258,
# too.
#
# **Two layouts.** GPT-2's `Conv1D` is a linear layer that stores its weight the other way round:
#
# | | weight | computes | output channel `o` is |
# |---|---|---|---|
# | `nn.Linear` | `[out, in]` | `x @ weight.T + bias` | row `weight[o]` |
# | `Conv1D` | `[in, out]` | `x @ weight + bias` | column `weight[:, o]` |
#
# The rules: `from_float` takes either, leaves it as it was, and returns a new layer on the same device. It
# holds the weight as one `int8` tensor of `out · in` elements and **no float copy of it**; what a forward
# pass needs is a parameter or a buffer (`self.register_buffer("name", tensor)`), so that `state_dict()`
# carries it. Inputs may have any number of dimensions, `[..., in]`, and half precision: quantize them in
# float32. A token's output must not depend on the other tokens in the batch: otherwise the same question
# gets another answer next to another user's.
#
# Integers in floats are exact as long as nothing exceeds 2^24 in float32 (or 2^53 in float64), and a
# product of int8 tensors directly would overflow: `.float()` or `.double()` them for the matrix product.

# %% [markdown] lang="zh-TW"
# ## 任務 3.2 · 即時量化輸入的線性層
#
# 設 $s_t$ 是詞元 $t$ 的縮放係數，$w_o$ 是輸出通道 $o$ 的縮放係數。對輸入 $i$ 加總時兩者都是常數，所以可以提到外面，剩
# 下的就是整數乘法：
#
# $$y_{t,o} = \sum_i (s_t\, q^x_{t,i})(w_o\, q^w_{o,i}) + b_o
# = s_t\, w_o \underbrace{\sum_i q^x_{t,i}\, q^w_{o,i}}_{\text{int8} \times \text{int8，以 int32 累加}} + b_o$$
#
# 這也說明了為什麼激活值是每個**詞元**一個縮放係數、而不是每個輸入通道一個，權重則是每個**輸出**通道一個：如果縮放
# 係數隨 $i$ 改變，就會卡在加總裡面出不來。
#
# 手算一次：詞元 `[1.27, −0.5]`（縮放係數 0.01，整數碼 `[127, −50]`），權重的一列 `[0.254, 0.1]`（縮放係數 0.002，整數
# 碼 `[127, 50]`）：127·127 − 50·50 = 13,629，乘上 0.01 · 0.002 得 0.27258。用浮點數算也是 0.27258。
#
# **兩種排列方式。** GPT-2 的 `Conv1D` 其實是線性層，只是權重的排法相反：
#
# | | 權重 | 計算 | 輸出通道 `o` 是 |
# |---|---|---|---|
# | `nn.Linear` | `[out, in]` | `x @ weight.T + bias` | 列 `weight[o]` |
# | `Conv1D` | `[in, out]` | `x @ weight + bias` | 行 `weight[:, o]` |
#
# 規則：`from_float` 兩種都收，不改動原來的層，回傳同一個裝置上的新層。新層用一個有 `out · in` 個元素的 `int8` 張量儲
# 存權重，**不留任何浮點副本**；前向傳播需要的東西都要是參數或 buffer（`self.register_buffer("name", tensor)`），
# `state_dict()` 才會帶著它。輸入可以是任意維度 `[..., in]`，也可以是半精度，量化時以 float32 計算。一個詞元
# 的輸出不可以受同一批次其他詞元影響：否則同一個問題，排在不同使用者旁邊就會得到不同的答案。
#
# 用浮點數裝整數，只要 float32 不超過 2^24（float64 不超過 2^53）就是精確的；直接拿 int8 張量相乘則會溢位。做矩陣乘法
# 之前，先 `.float()` 或 `.double()`。


# %%
class DynamicQuantizedLinear(nn.Module):
    """A linear layer with an int8 weight, one scale for each output channel, which quantizes its input per token.

    `from_float` makes it. What the constructor takes, and what its tensors are called, is up to you.
    """

    def __init__(self, codes, weight_scale, bias):
        super().__init__()
        ### BEGIN SOLUTION
        self.register_buffer("weight", codes)  # int8 [out, in]
        self.register_buffer("weight_scale", weight_scale)  # float32 [out]
        self.register_buffer("bias", None if bias is None else bias.detach().float().clone())
        ### END SOLUTION

    @classmethod
    def from_float(cls, layer):
        """The quantized layer for an nn.Linear (weight [out, in]) or a Conv1D (weight [in, out]).

        layer    left as it was; its bias may be None
        returns  DynamicQuantizedLinear on the layer's device
        """
        ### BEGIN SOLUTION
        weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight  # [out, in]
        codes, scale = _codes_and_scale(weight)  # a row is an output channel
        return cls(codes.contiguous(), scale.squeeze(-1), layer.bias)
        ### END SOLUTION

    def forward(self, x):
        """The output, float32 [..., out], for x [..., in]."""
        ### BEGIN SOLUTION
        codes, scale = _codes_and_scale(x)
        exact = torch.float32 if codes.shape[-1] * 127 * 127 < 2**24 else torch.float64
        sums = codes.to(exact) @ self.weight.to(exact).T  # whole numbers, without rounding
        y = (sums * scale * self.weight_scale).float()
        return y if self.bias is None else y + self.bias
        ### END SOLUTION


# %%
check("3.2")

# %% [markdown] lang="en"
# ## Task 3.3 · A whole language model
#
# `quantize_model_dynamic` returns a copy of a GPT-2 or Llama model in which
#
# - every `nn.Linear` and every `Conv1D` is a `DynamicQuantizedLinear`;
# - every `nn.Embedding` is stored in int8, one scale for each row. An embedding only looks rows up, so its
#   activations are not quantized: it returns codes times scale, in float32, `[..., width]` for ids `[...]`;
# - a tied head stays tied. GPT-2's `lm_head.weight` *is* `transformer.wte.weight`, one tensor under two
#   names, nearly a third of the small GPT-2 (39 of its 124 million weights). A row of the embedding is an
#   output channel of the head, so the codes and scales of both are the same, and one int8 tensor can serve
#   both: stored once.
#
# LayerNorm and RMSNorm stay in float: they are small, and sensitive.
#
# `model.named_modules()` lists every part with its name; `model.get_submodule(name)` and
# `model.set_submodule(name, new)` read and replace one. Replace only after you have the list: a dictionary
# must not change while it is walked.
#
# **How it is judged: the artifact rule.** Your function quantizes a model that nobody has seen, and the
# grader writes its `state_dict` to a file. Then a *new* process starts, which has your code and this file
# and nothing else. There, your function quantizes an *untrained* model of the same architecture, the file
# is loaded into it (`load_state_dict`, strictly), and it predicts on texts that the first process never
# saw. So: all that matters must be in the `state_dict`, under the same names for every model of the same
# architecture, and nothing else counts. The file must be 3.3 times smaller than the float model's, the
# perplexity at most 1.05 times as large, and the output close to the float model's, on models with
# outliers.

# %% [markdown] lang="zh-TW"
# ## 任務 3.3 · 整個語言模型
#
# `quantize_model_dynamic` 回傳 GPT-2 或 Llama 模型的一份副本，其中
#
# - 每個 `nn.Linear` 和 `Conv1D` 都換成 `DynamicQuantizedLinear`；
# - 每個 `nn.Embedding` 用 int8 儲存，每列一個縮放係數。嵌入層只是查表，不必量化激活值：輸入編號 `[...]`，回傳整數碼乘上
#   縮放係數，float32 `[..., width]`；
# - 共用權重的輸出層要保持共用。GPT-2 的 `lm_head.weight` **就是** `transformer.wte.weight`，同一個張量、兩個名字，在
#   小型的 GPT-2 裡占了將近三分之一（1.24 億個權重中的 3,900 萬）。嵌入表的一列就是輸出層的一個輸出通道，所以兩者的整
#   數碼與縮放係數完全相同，一個 int8 張量就夠兩邊用：只存一次。
#
# LayerNorm 和 RMSNorm 保持浮點數：它們很小，而且敏感。
#
# `model.named_modules()` 列出每個部分和名稱；`model.get_submodule(name)` 和 `model.set_submodule(name, new)` 讀取與替換。
# 先列出清單再替換：走訪字典時不可以改動它。
#
# **怎麼評分：成品規則（artifact rule）。** 你的函式會量化一個沒人看過的模型，評分程式把它的 `state_dict` 寫成檔案。接著
# 啟動一個**新的**行程，裡面只有你的程式和這個檔案。在那裡，你的函式量化一個同架構、**未訓練**的模型，把檔案嚴格載入
# （`load_state_dict`），再對前一個行程沒看過的文字做預測。所以：所有重要的東西都要在 `state_dict` 裡，同架構的模型名稱要
# 一致，除此之外都不算數。檔案要比浮點模型小 3.3 倍，困惑度最多是 1.05 倍，輸出要接近浮點模型，而且模型帶有離群通道。


# %%
### BEGIN SOLUTION
class QuantizedEmbedding(nn.Module):
    """An embedding with int8 rows, one scale a row."""

    def __init__(self, codes, scale):
        super().__init__()
        self.register_buffer("weight", codes)  # int8 [rows, width]
        self.register_buffer("weight_scale", scale)  # float32 [rows]

    @classmethod
    def from_float(cls, embedding):
        codes, scale = _codes_and_scale(embedding.weight)
        return cls(codes, scale.squeeze(-1))

    def forward(self, ids):
        return self.weight[ids] * self.weight_scale[ids].unsqueeze(-1)


def _quantized(module):
    """The int8 layer for a float one; None for what stays in float."""
    if isinstance(module, nn.Linear | Conv1D):
        return DynamicQuantizedLinear.from_float(module)
    return QuantizedEmbedding.from_float(module) if isinstance(module, nn.Embedding) else None


### END SOLUTION
def quantize_model_dynamic(model):
    """A copy of a GPT-2 or Llama model: linears dynamic int8, embeddings int8 by rows, a tied head still tied.

    model    a transformers language model with float weights, left as it was
    returns  nn.Module, called as the model is; its state_dict holds all that a forward pass needs
    """
    ### BEGIN SOLUTION
    quantized = copy.deepcopy(model)
    made = {}  # float weight -> the layer that holds its codes, for weights that stand in two places
    for name, module in list(quantized.named_modules()):
        layer = _quantized(module)
        if layer is None:
            continue
        first = made.setdefault(module.weight, layer)
        layer.weight, layer.weight_scale = first.weight, first.weight_scale
        quantized.set_submodule(name, layer)
    return quantized
    ### END SOLUTION


# %%
check("3.3")

# %% [markdown] lang="en"
# ## Task 3.4 · Perplexity
#
# A language model gives every next token a probability. The *perplexity* is the exponential of the mean
# negative log-probability of the tokens that really came:
#
# $$\mathrm{PPL} = \exp\left(-\frac{1}{N} \sum_{\text{batches}} \sum_{b,t} \ln p(x_{b,t+1} \mid x_{b,1 \dots t})\right)$$
#
# Read it as: "as unsure as if it had to choose among that many tokens." A model that knows nothing has the
# size of its vocabulary, here 1024; one that is always certain and right has 1.
#
# - The logits at position $t$ predict token $t+1$. So a text of $T$ tokens has $T-1$ predictions: the last
#   logits predict nothing that is there, and nothing predicts the first token.
# - $N$ counts *all* predictions of all batches. By hand: batch A has 2 predictions with losses 1 and 3,
#   batch B has 6 with loss 1 each. The mean is (1 + 3 + 6) / 8 = 1.25, the perplexity e^1.25 = 3.49. The
#   mean of the batches' means would be (2 + 1) / 2 = 1.5, which gives 4.48: too much weight for the small
#   batch. Averaging perplexities is wrong in another way, since exp is not linear.
# - Evaluate as you would deploy: in eval mode (dropout off), without gradients, and put the model back
#   into the mode in which you found it. Hand the whole batch on, `model(**batch)`; an error that the model
#   raises is the caller's to see.
# - In float32 at least, and stable for large logits: the logarithm of a softmax underflows, `log_softmax`
#   and `cross_entropy` don't.

# %% [markdown] lang="zh-TW"
# ## 任務 3.4 · 困惑度
#
# 語言模型替每個可能的下一個詞元算出機率。**困惑度**（perplexity）是實際出現的詞元的負對數機率，取平均後再取指數：
#
# $$\mathrm{PPL} = \exp\left(-\frac{1}{N} \sum_{\text{batches}} \sum_{b,t} \ln p(x_{b,t+1} \mid x_{b,1 \dots t})\right)$$
#
# 可以這樣解讀：「就像要在這麼多個詞元裡猜一個那麼沒把握。」什麼都不知道的模型，困惑度等於詞彙表大小，這裡是
# 1024；永遠確定而且猜對的模型是 1。
#
# - 位置 $t$ 的 logits 預測的是第 $t+1$ 個詞元。所以 $T$ 個詞元的文字有 $T-1$ 次預測：最後一組 logits 預測的詞元不在資料
#   裡，而第一個詞元沒有人預測它。
# - $N$ 是**所有**批次的**所有**預測總數。手算一次：批次 A 有 2 次預測，損失是 1 和 3；批次 B 有 6 次，損失都是 1。平均
#   是 (1 + 3 + 6) / 8 = 1.25，困惑度是 e^1.25 = 3.49。如果先算各批次的平均再平均，會得到 (2 + 1) / 2 = 1.5，也就是
#   4.48：小批次的份量太重了。對困惑度取平均則是另一種錯，因為 exp 不是線性的。
# - 評估時要和上線時一樣：eval 模式（關掉 dropout）、不算梯度；結束後把模型恢復成原來的模式。整個批次都要交給模型：
#   `model(**batch)`；模型引發的錯誤要讓呼叫者看到。
# - 至少用 float32，而且 logits 很大時也要穩定：先 softmax 再取對數會下溢（underflow），`log_softmax` 和
#   `cross_entropy` 不會。


# %%
### BEGIN SOLUTION
@contextlib.contextmanager
def _evaluating(model):
    """Within it, the model is in eval mode and nothing computes gradients; every part's mode is restored."""
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


### END SOLUTION
def perplexity(model, batches):
    """exp of the mean next-token loss over all predicted tokens of all batches.

    model    called as model(**batch); its output has .logits [B, T, vocab]; left in the mode it came in
    batches  a sequence of {"input_ids": int64 [B, T]}, whose B and T may differ from batch to batch
    returns  float
    """
    ### BEGIN SOLUTION
    loss, count = 0.0, 0
    with _evaluating(model):
        for batch in batches:
            targets = batch["input_ids"][:, 1:].flatten()
            predictions = model(**batch).logits[:, :-1].flatten(0, 1).float()
            loss += nn.functional.cross_entropy(predictions, targets, reduction="sum").item()
            count += targets.numel()
    return math.exp(loss / count)
    ### END SOLUTION


# %%
check("3.4")

# %% [markdown] lang="en"
# ## Task 3.5 · A fair benchmark
#
# Four mistakes make most measured speed-ups worthless:
#
# 1. **No warm-up.** The first calls load code, fill caches and choose kernels. They run, but don't count.
# 2. **The mean.** One interruption by the operating system spoils it. Report the *median*, and the 10th and
#    90th percentile, so that a reader sees the spread.
# 3. **Not waiting for the device.** A GPU works asynchronously: the call returns long before the work is
#    done. Wait before you look at the clock, both times (`torch.cuda.synchronize()`; on a CPU there is
#    nothing to wait for, and the call fails without a GPU).
# 4. **Measuring something else:** training mode, gradients, a different batch each time.
#
# Run `warmup` calls `model(**inputs)`, then `repeats` that are timed one by one (`time.perf_counter()`, not
# `time.time()`, which the system may set back). How percentiles interpolate between two measurements is up
# to you; a single one is all three. An error that the model raises reaches the caller. Nobody grades how
# *fast* it is.

# %% [markdown] lang="zh-TW"
# ## 任務 3.5 · 公平的效能測試
#
# 大多數量出來的加速倍數沒有意義，是因為這四種錯誤：
#
# 1. **沒有暖身。** 前幾次呼叫要載入程式、填滿快取、挑選運算核心。要跑，但不算數。
# 2. **取平均。** 作業系統打斷一次，平均就毀了。要報告**中位數**，再加上第 10 和第 90 百分位數，讓讀者看到變動的程度。
# 3. **沒有等裝置。** GPU 是非同步執行的：呼叫早就返回了，工作還沒做完。看時鐘之前要先等它，前後兩次都要
#    （`torch.cuda.synchronize()`；CPU 不需要等，而且沒有 GPU 時呼叫它會出錯）。
# 4. **量錯東西**：訓練模式、梯度、每次用不同的批次。
#
# 先呼叫 `warmup` 次 `model(**inputs)`，再呼叫 `repeats` 次並逐次計時（用 `time.perf_counter()`，不要用可能被系統調回去的
# `time.time()`）。百分位數落在兩次測量之間時怎麼內插，由你決定；只量一次時，三個數字都是它。模型引發的錯
# 誤要傳給呼叫者。跑多快不計分。


# %%
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    """How long one forward pass takes, in seconds.

    model    called as model(**inputs), warmup + repeats times, in eval mode and without gradients; left as it was
    inputs   a batch: a dict of tensors
    returns  {"median_s", "p10_s", "p90_s"}: floats, over the `repeats` calls that are timed
    """
    ### BEGIN SOLUTION
    on_gpu = any(tensor.is_cuda for tensor in inputs.values())

    def clock():
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter()

    seconds = []
    with _evaluating(model):
        for _ in range(warmup + repeats):
            start = clock()
            model(**inputs)
            seconds.append(clock() - start)
    p10, median, p90 = torch.tensor(seconds[warmup:], dtype=torch.float64).quantile(
        torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    )
    return {"median_s": median.item(), "p10_s": p10.item(), "p90_s": p90.item()}
    ### END SOLUTION


# %%
check("3.5")

# %% [markdown] lang="en"
# ## Task 3.6 · Memory (given)
#
# A worked example, not graded. The weights are easy: the bytes of every parameter and buffer, tied memory
# once. For the activations we watch every operation: each new tensor adds its bytes, each tensor that is
# freed takes them away, and the highest level is the peak. It works on any device, since it counts tensors
# and asks no allocator.

# %% [markdown] lang="zh-TW"
# ## 任務 3.6 · 記憶體（現成）
#
# 這是範例，不計分。權重很簡單：所有參數與 buffer 的位元組數，共用的只算一次。激活值則是盯著每一個運算：新的張量加上它
# 的位元組數，釋放的張量減掉，最高點就是峰值。這個做法只數張量，不問配置器，所以在任何裝置上都能用。

# %%
import weakref

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make, for as long as they live."""

    def __init__(self, known):
        super().__init__()
        self.known, self.now, self.peak = set(known), 0, 0  # addresses that are not counted again; bytes

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.count(tensor.untyped_storage())
        return result

    def count(self, memory):
        address, size = memory.data_ptr(), memory.nbytes()
        if size and address not in self.known:
            self.known.add(address)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(memory, self.free, address, size)

    def free(self, address, size):
        self.known.discard(address)
        self.now -= size


def memory_report(model, inputs):
    """{"weight_bytes", "peak_activation_bytes"} of one forward pass on `inputs`, a batch.

    Weights: parameters and buffers, tied memory once. Activations: all that the forward pass makes.
    """
    stored = [*model.parameters(), *model.buffers()]
    weights = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in stored}
    with torch.no_grad(), LiveBytes(weights) as live:
        model(**inputs)
    return {"weight_bytes": sum(weights.values()), "peak_activation_bytes": live.peak}


for name, model in (("float32", llama), ("dynamic int8", quantize_model_dynamic(llama))):
    report = memory_report(model, evaluation[0])
    print(f"{name:13} {report['weight_bytes'] / 1e6:6.2f} MB of weights,", end=" ")
    print(f"{report['peak_activation_bytes'] / 1e6:6.2f} MB of activations at the peak")

# %% [markdown] lang="en"
# Four times smaller weights, and hardly any change in the activations. Our kernel makes a temporary float
# copy of each weight within `forward`, one layer at a time: it counts among the activations, and a real
# int8 kernel has none.
#
# ## 3 · Static against dynamic
#
# The same model four times. The **static** baseline below is a simulation, made for this comparison: the
# weights are those of your quantized model, and the input of every linear layer is first rounded onto a
# grid that was fixed beforehand, from the largest value of 32 calibration texts. The **per tensor** row is
# dynamic, but with one scale for all tokens of a batch; it is simulated in the same way.

# %% [markdown] lang="zh-TW"
# 權重小了四倍，激活值幾乎沒變。我們的運算核心會在 `forward` 裡替每個權重做一份暫時的浮點副本，一次一層：它算在激活值裡，
# 真正的 int8 運算核心不需要它。
#
# ## 3 · 靜態對動態
#
# 同一個模型，四種做法。下面的**靜態**基準是為了比較而做的模擬：權重就是你的量化模型的權重，而每個線性層的輸入先捨入到一
# 個事先固定的格點上，範圍取自 32 段校準文字中的最大值。**逐張量**那一列是動態的，但整個批次的詞元共用一個縮放係數，模擬的
# 方式相同。


# %%
def with_rounded_inputs(model, quantized, range_of):
    """A copy of `quantized` whose linear layers round their input onto a grid of 8 bits.

    range_of  (layer's name, input) -> the largest |x| of that grid
    """
    made = copy.deepcopy(quantized)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear | Conv1D):

            def rounded(_, args, name=name):
                step = range_of(name, args[0]) / 127
                return (torch.round(args[0] / step).clamp(-128, 127) * step,)

            made.get_submodule(name).register_forward_pre_hook(rounded)
    return made


def fixed_ranges(model, data):
    """The largest |x| of each linear layer's input over the batches in `data`."""
    names = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D)]
    return {name: max(input_of(model, name, batch).abs().max() for batch in data) for name in names}


def forms(model, calibration):
    """The float model and three quantized ones, by name."""
    quantized, ranges = quantize_model_dynamic(model), fixed_ranges(model, calibration)
    return {
        "float32": model,
        "static": with_rounded_inputs(model, quantized, lambda name, x: ranges[name]),
        "dynamic per tensor": with_rounded_inputs(model, quantized, lambda name, x: x.abs().max()),
        "dynamic per token": quantized,
    }


def next_token_accuracy(model, batches):
    """The share of tokens that the model guesses right."""
    hits = [(guesses(model, batch)[:, :-1] == batch["input_ids"][:, 1:]).float() for batch in batches]
    return torch.cat(hits).mean().item()


@torch.no_grad()
def guesses(model, batch):
    """The most likely next token everywhere, int64 [rows, tokens]."""
    return model(**batch).logits.argmax(dim=-1)


def agreement_with(original):
    """A measure: the share of places where a model guesses what `original` guesses."""
    wanted = [guesses(original, batch) for batch in evaluation]

    def agreement(model, batches):
        same = [(guesses(model, batch) == want).float() for batch, want in zip(batches, wanted, strict=True)]
        return torch.cat(same).mean().item()

    return agreement


def static_against_dynamic(name, model):
    """The table of all forms of `model`, measured by your own functions; logged in experiments.jsonl."""
    calibration = batches(load_batches(name, "calibration"), count=2, size=16)
    measures = {
        "size": get_model_size,
        "latency": functools.partial(benchmark_inference, warmup=1, repeats=3),
        "memory": memory_report,
        "accuracy": next_token_accuracy,
        "perplexity": perplexity,
        "agreement": agreement_with(model),
    }
    return compare(forms(model, calibration), evaluation, measures, name=f"lab 03, {name}")


gpt2_table = static_against_dynamic("tiny-gpt2", gpt2)
display(gpt2_table)

# %%
llama_table = static_against_dynamic("tiny-llama", llama)
display(llama_table)

# %%
plot_comparison(llama_table)

# %% [markdown] lang="en"
# What to see:
#
# - **Size** is the same for all three: what they differ in is how they treat activations, which are never
#   stored.
# - **Per token wins clearly** where there are outliers, because a token without one keeps all its levels.
#   *Static* and *dynamic per tensor* lie close together: with representative data, knowing the exact range
#   of a batch helps little when the range is that of its worst token.
# - **Calibration data** can be wrong for static quantization ("why did accuracy drop in production although
#   it was fine in the lab?"). Dynamic quantization has none that could be.
# - **Perplexity and accuracy are blunt.** Where perplexity hardly moves, agreement with the float model has
#   long fallen: the model answers differently, though not measurably worse on this text.
# - **Latency**: expect no speed-up from our int8 models. They compute with integers *in floats*, on top of looking
#   for the scales (and the two simulated ones round twice, so their latency says nothing). Storing less is a
#   matter of bytes; computing faster is a matter of hardware, and that is next.
#
# ## 4 · What the hardware offers
#
# `torch._int_mm` multiplies int8 by int8 and sums in int32 as a chip's integer units do, and `nn.Linear`
# is the float32 product to beat. Compare them at a width of 1024, for many tokens (a prompt) and for one (a
# word being generated).

# %% [markdown] lang="zh-TW"
# 看出什麼：
#
# - **大小**三種都一樣：它們的差別在於怎麼處理激活值，而激活值根本不會儲存。
# - 有離群通道時，**逐詞元明顯勝出**，因為沒碰到離群值的詞元保有全部的級數。**靜態**與**動態逐張量**很接近：校準資料有代表
#   性時，知道這一批確切的範圍幫助不大，因為那個範圍是由最糟的詞元決定的。
# - **校準資料**對靜態量化來說可能選錯（「實驗室裡好好的，為什麼上線後準確率掉了？」）；動態量化沒有校準資料，也就無從選錯。
# - **困惑度和準確率很遲鈍。** 困惑度幾乎沒動時，與浮點模型的一致率早就掉了：模型的回答不同了，只是在這份文字上量不出比
#   較差。
# - **延遲**：別期待我們的 int8 模型會變快。它們是**用浮點數**做整數運算，還要加上找縮放係數（兩個模擬的版本還捨入兩次，延遲
#   沒有參考價值）。存得少是位元組的事；算得快是硬體的事，接著就來看。
#
# ## 4 · 硬體提供什麼
#
# `torch._int_mm` 把 int8 乘 int8、以 int32 累加，和晶片的整數單元做的一樣；`nn.Linear` 則是要超越的 float32 乘法。在寬度
# 1024 之下比較兩者：一次很多詞元（讀提示），和一次一個詞元（逐字生成）。


# %%
class IntegerProduct(nn.Module):
    """int8 [tokens, in] times int8 [in, out], summed in int32: what a fast kernel is made of."""

    def __init__(self, width):
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 128, (width, width), dtype=torch.int8))

    def forward(self, x):
        return torch._int_mm(x, self.weight)


class FloatProduct(nn.Module):
    """The same in float32."""

    def __init__(self, width):
        super().__init__()
        self.register_buffer("weight", torch.randn(width, width))

    def forward(self, x):
        return x @ self.weight


print("vector instructions of this CPU:", torch.backends.cpu.get_cpu_capability())
print("CUDA device:", torch.cuda.get_device_name() if torch.cuda.is_available() else "none")
for tokens in (1024, 32, 1):
    codes = torch.randint(-127, 128, (tokens, 1024), dtype=torch.int8)
    in_floats = benchmark_inference(FloatProduct(1024), {"x": codes.float()})["median_s"]
    in_integers = benchmark_inference(IntegerProduct(1024), {"x": codes})["median_s"]
    print(
        f"{tokens:5} tokens: float32 {in_floats * 1e3:7.3f} ms, int8 {in_integers * 1e3:7.3f} ms:"
        f" {in_floats / in_integers:5.2f}x"
    )

# %% [markdown] lang="en"
# What you see depends on your machine, and that is the lesson. Without VNNI or AMX (x86) or tensor cores
# (NVIDIA), int8 instructions gain little or lose, and it takes a library that packs the weights for your
# very CPU: on one with only AVX2, ONNX Runtime's dynamic int8 ran BERT and GPT-2 1.7 to 1.9 times as fast
# as float32. With VNNI, others report 2.2 to 3.3 times. `ptqlab doctor` tells what your machine has.
#
# ## 5 · The handout's claims, examined
#
# The handout promises 4× compression, 2.5× speed and more than 98 % of the accuracy; the tables above hold
# it against what you measured. For int8 per token:

# %% [markdown] lang="zh-TW"
# 你看到的數字取決於你的機器，這正是重點。沒有 VNNI 或 AMX（x86）、也沒有 Tensor Core（NVIDIA）時，int8 指令快不了多少，甚
# 至更慢，需要替你的 CPU 重新排列權重的函式庫才有用：在只有 AVX2 的 CPU 上，ONNX Runtime 的動態 int8 讓 BERT 和 GPT-2 快了
# 1.7 到 1.9 倍；有 VNNI 時，別人的報告是 2.2 到 3.3 倍。`ptqlab doctor` 會告訴你這台機器有什麼。
#
# ## 5 · 檢驗講義的說法
#
# 講義說：壓縮 4 倍、加速 2.5 倍、保留超過 98 % 的準確率；上面的表格已經把它和你量到的數字並列。int8 逐詞元的結果：

# %%
for name, table in (("tiny-gpt2", gpt2_table), ("tiny-llama", llama_table)):
    row = table.rows["dynamic per token"]
    print(f"{name:10}  {row['compression']:.2f}x smaller  {row['speedup']:.2f}x as fast", end="  ")
    print(f"{row['kept']:.1%} of the accuracy kept, {row['agreement']:.1%} of the guesses unchanged")

# %% [markdown] lang="en"
# - **4×** is the limit for int8, reached only if *everything* is quantized: scales and norms cost a little.
#   PyTorch's own `quantize_dynamic` leaves embeddings in float, and so compresses BERT-base 2.41 times; all
#   of it would be 3.97 times.
# - **2.5×** is a property of the hardware and the library, not of quantization. Ours has no fast kernel.
# - **> 98 %** depends on what is measured. Accuracy keeps about that much, while one guess in nine or so has
#   changed: accuracy forgives a wrong guess that replaces another wrong guess.
#
# ## 6 · Before you go on
#
# Not graded, but worth two minutes each:
#
# 1. Load the models without outliers (`outliers=False`) and compare again. How much of the difference
#    between per tensor and per token remains?
# 2. Put a second, very different text into the batch. Whose predictions change with per tensor, whose with
#    per token?
# 3. `dynamic_quantize(x, bits=6)`: how many bits per token are as good as 8 per tensor?
# 4. Leave the layer with the largest error in float (say, the last `down_proj`). Is it worth its bytes?
#
# **Reading**
#
# - T. Dettmers et al., *LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale*, 2022,
#   [arXiv:2208.07339][llmint8]: where outlier channels come from and what they do.
# - Z. Yao et al., *ZeroQuant*, 2022, [arXiv:2206.01861][zeroquant]: per-token activations.
# - ONNX Runtime, [*Quantize ONNX models*][ort]: when it recommends dynamic, when static.
#
# **Next:** notebook 04 chooses thresholds, bits and scales better than the largest value does.
#
# [llmint8]: https://arxiv.org/abs/2208.07339
# [zeroquant]: https://arxiv.org/abs/2206.01861
# [ort]: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html

# %% [markdown] lang="zh-TW"
# - **4 倍**是 int8 的極限，**全部**都量化才接近得了：縮放係數和正規化層還要一點空間。PyTorch 自己的 `quantize_dynamic` 把
#   嵌入層留在浮點數，所以 BERT-base 只壓縮 2.41 倍；全部量化則是 3.97 倍。
# - **2.5 倍**是硬體和函式庫的性質，不是量化的性質。我們沒有快速的運算核心。
# - **超過 98 %** 要看量的是什麼。準確率大約保留了這麼多，但大約每九個猜測就有一個變了：用一個錯的猜測換掉另一個錯的猜測，
#   準確率看不出來。
#
# ## 6 · 繼續之前
#
# 不計分，但每題值得花兩分鐘：
#
# 1. 改用沒有離群通道的模型（`outliers=False`）再比較一次。逐張量與逐詞元的差別還剩多少？
# 2. 在批次裡放進一段很不一樣的文字。用逐張量時，誰的預測會變？用逐詞元呢？
# 3. `dynamic_quantize(x, bits=6)`：逐詞元要幾個位元，才和逐張量的 8 位元一樣好？
# 4. 把誤差最大的層（例如最後一個 `down_proj`）留在浮點數。它值得那些位元組嗎？
#
# **延伸閱讀**
#
# - T. Dettmers 等人，*LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale*，2022，
#   [arXiv:2208.07339][llmint8]：離群通道從哪裡來、會做什麼。
# - Z. Yao 等人，*ZeroQuant*，2022，[arXiv:2206.01861][zeroquant]：逐詞元的激活值。
# - ONNX Runtime，[*Quantize ONNX models*][ort]：什麼時候建議動態，什麼時候建議靜態。
#
# **下一步：** 第 04 份筆記本用比最大值更好的方法來選門檻、位元數與縮放係數。
#
# [llmint8]: https://arxiv.org/abs/2208.07339
# [zeroquant]: https://arxiv.org/abs/2206.01861
# [ort]: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
