# %% [markdown] lang="en"
# # Lab 04 · Advanced PTQ
#
# *Lab 3.1 Post-Training Quantization, notebook 4 of 5 · 25 points and 10 bonus · 120–150 minutes*
#
# Min-max calibration and one number of bits for every layer are where everybody starts. This notebook is
# about what comes next: clipping the few values that stretch a range, finding out which layers can't bear
# it, and spending bits where they help.
#
# You will be able to
#
# - calibrate with a percentile, with KL divergence and with the mean squared error, and say when each is
#   wrong;
# - measure how sensitive each layer of a model is;
# - give each layer a number of bits of its own under a memory budget;
# - move outliers from activations into weights, and hand a quantized model to ONNX Runtime;
# - as a bonus, write GPTQ, AWQ and a Hadamard rotation.
#
# **How to work.** Each task has a cell with `# Your code here.` Replace that line and the `raise` below it,
# run the cell, then run the `check` cell below it. Only your functions count; what your cells print doesn't.

# %% [markdown] lang="zh-TW"
# # Lab 04 · 進階 PTQ
#
# Lab 3.1 訓練後量化實戰，第 4 份筆記本（共 5 份）· 25 分，另有加分題 10 分 · 120–150 分鐘
#
# 每個人都從 min-max 校準、每一層用同樣的位元數開始。這份筆記本談的是下一步：把少數撐大範圍的值截掉，找出哪些層受不
# 了，並且把位元花在有用的地方。
#
# 完成之後，你將能夠
#
# - 用百分位數、KL 散度和均方誤差做校準，並說出它們各自什麼時候會出錯；
# - 量出模型每一層有多敏感；
# - 在記憶體預算之內，給每一層自己的位元數；
# - 把離群值從激活值移到權重，並把量化好的模型交給 ONNX Runtime；
# - 加分題：寫出 GPTQ、AWQ 和 Hadamard 旋轉。
#
# **進行方式。** 每個任務都有一個寫著 `# Your code here.` 的儲存格。把這一行和下面的 `raise` 換成你的程式，執行它，再執
# 行下方的 `check`。只有你寫的函式會被評分，儲存格印出什麼不影響分數。

# %% [markdown] lang="en"
# ## 1 · Setup
#
# Two small language models that were really trained. `outliers=True` gives a model what large language
# models have by themselves: a few channels whose activations are 64 times larger than the others. Its
# outputs stay the same to the last bit; only quantization notices.

# %% [markdown] lang="zh-TW"
# ## 1 · 環境設定
#
# 兩個真的訓練過的小型語言模型。`outliers=True` 會讓模型具備大型語言模型天生就有的東西：少數幾個通道的激活值比其他通道
# 大 64 倍。模型的輸出一個位元都不變，只有量化會察覺。

# %%
import copy
import math
import os
import sys
import timeit
import warnings

import torch
from torch import nn
from tqdm import tqdm
from transformers.pytorch_utils import Conv1D

from autograder.lab import (
    batches as take_batches,
)
from autograder.lab import (
    check,
    compare,
    load_batches,
    load_model,
    log_experiment,
    plot_budgets,
    plot_channel_peaks,
    plot_kl_curve,
    plot_methods,
    plot_progressive,
    plot_sensitivity,
    plot_strengths,
    plot_thresholds,
)

plain, spiky = load_model("tiny-llama"), load_model("tiny-llama", outliers=True)
calibration = take_batches(load_batches("tiny-llama", "calibration"), count=4, size=8)
evaluation = take_batches(load_batches("tiny-llama", "evaluation"), count=2, size=16)
print(f"{type(plain).__name__}, {sum(p.numel() for p in plain.parameters()):,} parameters")
print(f"calibration: {len(calibration)} batches of {list(calibration[0]['input_ids'].shape)} tokens")

# %% [markdown] lang="en"
# ### Two guards, given; three tools, yours
#
# The guards are those of notebook 01: call them in every calibrator. The tools you have written before:
# `fake_quantize` is tasks 1.5 and 1.3 in one (quantize a weight per output channel, restore it at once),
# `compute_kl_div` is task 1.8 and `calibrate_model` is task 2.3. Paste them here; they are not graded again,
# but tasks 4.4 and 4.5 and the experiments need them.

# %% [markdown] lang="zh-TW"
# ### 兩個現成的檢查函式，三個你自己的工具
#
# 檢查函式和第 01 份筆記本的一樣：每個校準器都要呼叫。工具是你以前寫過的：`fake_quantize` 就是任務 1.5 加 1.3（把權重逐
# 輸出通道量化，馬上還原），`compute_kl_div` 是任務 1.8，`calibrate_model` 是任務 2.3。把它們貼到這裡；這裡不會再評分，
# 但任務 4.4、4.5 和後面的實驗都用得到。


# %%
def require_bits(bits: int) -> None:
    """Raise ValueError unless `bits` is an int from 2 to 8."""
    if type(bits) is not int or not 2 <= bits <= 8:
        raise ValueError(f"bits must be an int from 2 to 8, got {bits!r}")


def require_finite(tensor: torch.Tensor) -> None:
    """Raise ValueError if `tensor` is empty or holds NaN or an infinity: no scale could describe it."""
    if tensor.numel() == 0:
        raise ValueError("cannot quantize an empty tensor: it has no range")
    if not torch.isfinite(tensor).all():
        raise ValueError("cannot quantize NaN or infinity: the scale would be NaN or infinite too")


### BEGIN SOLUTION
def _usable(scale):
    """`scale`, with 1 where it is 0: all-zero data has no range, and 0 / 0 would be NaN."""
    return scale.masked_fill(scale == 0, 1.0)


### END SOLUTION
def fake_quantize(weight, bits, axis=0):
    """Quantize symmetrically, one scale for each index of `axis`, and restore at once (tasks 1.5 and 1.3).

    weight  two dimensions; axis 0 for nn.Linear [out, in], 1 for Conv1D [in, out]
    returns float32, shaped like `weight`
    raises  ValueError: bits out of range
    """
    ### BEGIN SOLUTION
    require_bits(bits)
    w, highest = weight.detach().float(), 2 ** (bits - 1) - 1
    others = [d for d in range(w.dim()) if d != axis % w.dim()]
    scale = _usable(w.abs().amax(dim=others, keepdim=True) / highest)
    return torch.round(w / scale).clamp(-highest - 1, highest) * scale
    ### END SOLUTION


def compute_kl_div(original_logits, quantized_logits):
    """KL(original ‖ quantized) in nats, the mean over all rows (task 1.8). Logits [..., classes]."""
    ### BEGIN SOLUTION
    log_p = original_logits.float().log_softmax(dim=-1)
    log_q = quantized_logits.float().log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    ### END SOLUTION


def calibrate_model(model, batches, make_calibrator):
    """{layer name: (scale, zero point)} over the input of every nn.Linear (task 2.3)."""
    ### BEGIN SOLUTION
    found, hooks = {}, []

    def watch(name, layer):
        def observe(_, args):
            found.setdefault(name, make_calibrator()).observe(args[0])

        hooks.append(layer.register_forward_pre_hook(observe))

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            watch(name, layer)
    try:
        with torch.no_grad():
            for batch in batches:
                model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: calibrator.quantization_parameters() for name, calibrator in found.items()}
    ### END SOLUTION


# %% [markdown] lang="en"
# ## 2 · Where to cut
#
# A symmetric scale is a *threshold* $T$ divided by the largest level: $s = T / (2^{b-1} - 1)$. Min-max takes
# $T = \max|x|$, so nothing is clipped, and a single far value decides how coarse all the others become. With
# 8 bits and values up to 1, a step is 0.008; add one value of 64, and it is 0.5: everything below 0.25
# becomes 0. A smaller $T$ clips that one value and keeps the rest fine. Four calibrators, four ideas of the
# best $T$:
#
# | calibrator | threshold | in one sentence |
# |---|---|---|
# | min-max (2.1) | the largest $\lvert x\rvert$ | no value is clipped |
# | percentile (4.1) | the $p$-th percentile of $\lvert x\rvert$ | a fixed share is clipped |
# | KL (4.2) | where the quantized distribution looks most like the original | what is clipped, and how far, counts |
# | MSE (4.3) | where the squared error is least | a large error counts most |
#
# All have the interface of task 2.1: `observe(tensor)` as often as there is data, then
# `quantization_parameters()`, which returns `(scale, zero_point)`.

# %% [markdown] lang="zh-TW"
# ## 2 · 該從哪裡截斷
#
# 對稱的縮放係數，就是**門檻** $T$ 除以最大的整數：$s = T / (2^{b-1} - 1)$。Min-max 取 $T = \max|x|$，什麼都不截斷，於是
# 只要有一個很遠的值，就決定了其他所有值會變得多粗。8 位元、數值最大到 1 時，一級是 0.008；多一個 64，一級就變成 0.5：
# 小於 0.25 的全部變成 0。取小一點的 $T$ 會截掉那一個值，讓其他值保持精細。四種校準器，對最好的 $T$ 有四種想法：
#
# | 校準器 | 門檻 | 一句話 |
# |---|---|---|
# | min-max（2.1） | 最大的 $\lvert x\rvert$ | 什麼都不截斷 |
# | 百分位數（4.1） | $\lvert x\rvert$ 的第 $p$ 百分位數 | 截掉固定的比例 |
# | KL（4.2） | 量化後的分布最像原來的地方 | 截掉什麼、截掉多遠，都要算 |
# | MSE（4.3） | 平方誤差最小的地方 | 大的誤差最要緊 |
#
# 它們的介面都和任務 2.1 一樣：有多少資料就呼叫多少次 `observe(tensor)`，最後呼叫 `quantization_parameters()`，傳回
# `(scale, zero_point)`。

# %% [markdown] lang="en"
# ## Task 4.1 · The percentile calibrator
#
# The 99.9th percentile of $|x|$ is the value that 99.9 % of all $|x|$ stay below. With `symmetric=False` the
# rest is cut off in halves, 0.05 % at either end, and the range is widened to contain 0 as always.
#
# By hand: of 100,000 values, 99,960 lie between −1 and 1 and 40 at ±50. Only 0.04 % are far out, less than
# the rest of 0.1 %, so the threshold is about 1 and the scale about 1/127 = 0.0079. Min-max would say 50/127
# = 0.39.
#
# **The difficulty is memory.** A layer of Llama-2-7B sees millions of values in every batch; you can't keep
# them and sort them at the end (and `torch.quantile` refuses more than $2^{24}$ values). Keep a *summary* of
# fixed size: counts in bins, for instance. Two things go wrong with bins:
#
# - The range isn't known in advance. If the bins are fixed at the first batch, all that comes later and is
#   larger falls out, or all into the last bin. Bins that grow must not forget what they have counted.
# - Equal bins between 0 and the largest value are too coarse when one value lies a hundred times farther
#   out. How wide may a bin be, compared with the threshold that you look for?
#
# A mean of the percentiles of the batches is *not* the percentile: think of batches that come sorted.
#
# **What is asked.** From 100,000 values on, the threshold must lie between 0.99 times the percentile at
# $p - 0.05$ and 1.01 times that at $p + 0.05$ (with `symmetric=False`: the width of the range), however the
# data is split into batches and whatever their order. Memory stays bounded. Nothing observed is a
# `RuntimeError`, NaN, infinities and empty tensors are a `ValueError`, and all zeros get some finite positive
# scale.

# %% [markdown] lang="zh-TW"
# ## 任務 4.1 · 百分位數校準器
#
# $|x|$ 的第 99.9 百分位數，就是有 99.9 % 的 $|x|$ 都小於它的那個值。`symmetric=False` 時，剩下的部分在兩端各截一半，也
# 就是各 0.05 %，範圍照例要擴大到包含 0。
#
# 手算一次：100,000 個值裡，99,960 個在 −1 和 1 之間，40 個在 ±50。太遠的只占 0.04 %，比剩下的 0.1 % 還少，所以門檻大約
# 是 1，縮放係數大約是 1/127 = 0.0079。Min-max 會說 50/127 = 0.39。
#
# **難在記憶體。** Llama-2-7B 的一層，每一批都會看到幾百萬個值；不可能全部留著，最後再排序（而且 `torch.quantile` 不接受超
# 過 $2^{24}$ 個值）。要留的是大小固定的**摘要**，例如各個區間（bin）的計數。用區間計數有兩個地方會出錯：
#
# - 事先不知道範圍。如果看到第一批就把區間定死，後來更大的值不是掉出去，就是全擠進最後一個區間。區間可以擴大，但不能忘掉
#   已經數過的。
# - 如果有一個值比其他值遠一百倍，從 0 到最大值等分的區間就太粗了。和你要找的門檻相比，一個區間最多可以多寬？
#
# 各批百分位數的平均**不是**百分位數：想想看，如果每一批是排好序送來的呢？
#
# **要求。** 從 100,000 個值開始，門檻必須介於第 $p - 0.05$ 百分位數的 0.99 倍和第 $p + 0.05$ 百分位數的 1.01 倍之間
# （`symmetric=False` 時，看的是範圍的寬度），不論資料怎麼分批、以什麼順序送來。記憶體用量要有上限。什麼都沒觀察就要參
# 數，是 `RuntimeError`；NaN、無限大和空張量是 `ValueError`；全為零的資料，得到任何有限的正數縮放係數都可以。

# %%
### BEGIN SOLUTION
# A float32 is sign, exponent, mantissa: its upper bits, read as an integer, number bins that are never wider than
# 1/256 of what they hold. They need no range, so nothing depends on the order in which the data comes.
_SHIFT = 15  # of 23 bits of mantissa, 8 are kept
_SIDE = 0x7F800000 >> _SHIFT  # the number of bins on either side of 0


def _bin_of(x):
    """int32 [...]: the bin of each float32, from 0 (the most negative) over _SIDE (zero) to 2 · _SIDE."""
    magnitude = x.abs().view(torch.int32) >> _SHIFT
    return torch.where(x < 0, -magnitude, magnitude) + _SIDE


def _middle_of(index):
    """float32: the middle of a bin; exactly 0 for the one around zero."""
    side = (index - _SIDE).to(torch.int32)
    middle = ((side.abs() << _SHIFT) + (1 << (_SHIFT - 1))).view(torch.float32)
    return torch.where(side == 0, 0.0, middle * torch.sign(side))


def _quantile(counts, share, first):
    """The value below which `share` of what was counted lies; `first` is the number of the first bin."""
    cumulated = counts.cumsum(0)
    rank = (share * (cumulated[-1] - 1)).to(cumulated.dtype)
    return _middle_of(torch.searchsorted(cumulated, rank, right=True) + first)


### END SOLUTION
class PercentileCalibrator:
    """Finds a scale that leaves the largest values out: those beyond a percentile. Needs bounded memory."""

    def __init__(self, bits=8, symmetric=True, percentile=99.9):
        """bits 2 to 8 (ValueError); percentile above 0, at most 100."""
        ### BEGIN SOLUTION
        require_bits(bits)
        self.bits, self.symmetric, self.percentile = bits, symmetric, percentile
        self.counts = None
        ### END SOLUTION

    def observe(self, tensor):
        """Take note of a tensor of any shape and floating dtype, in memory that doesn't grow with the data.

        raises  ValueError: empty, NaN or infinite
        """
        ### BEGIN SOLUTION
        require_finite(tensor)
        index = _bin_of(tensor.detach().float().flatten())
        counts = torch.bincount(index, minlength=2 * _SIDE + 1)
        self.counts = counts if self.counts is None else self.counts + counts
        ### END SOLUTION

    def quantization_parameters(self):
        """(scale, zero_point): scale float32 with one element; zero_point an int or a 0-dim integer tensor, 0 if symmetric.

        raises  RuntimeError: nothing was observed
        """
        ### BEGIN SOLUTION
        if self.counts is None:
            raise RuntimeError("nothing was observed: call observe with some data first")
        share = self.percentile / 100
        if self.symmetric:
            magnitudes = self.counts[_SIDE:].clone()
            magnitudes[1:] += self.counts[:_SIDE].flip(0)
            return _usable(_quantile(magnitudes, share, _SIDE) / (2 ** (self.bits - 1) - 1)), 0
        rest, highest = (1 - share) / 2, 2**self.bits - 1
        lo = _quantile(self.counts, rest, 0).clamp(max=0.0)
        hi = _quantile(self.counts, 1 - rest, 0).clamp(min=0.0)
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
        ### END SOLUTION


# %%
check("4.1")

# %% [markdown] lang="en"
# ## Task 4.2 · KL divergence
#
# The percentile decides *how many* values are clipped, and doesn't ask what that costs. The idea behind
# TensorRT's entropy calibration: take the histogram of $|x|$ as a distribution $P$, imagine for every
# possible threshold the distribution $Q$ that is left after quantization, and choose the threshold at which
# $\mathrm{KL}(P \,\|\, Q)$ is least.
#
# **The histogram.** `collect_histogram(batches, bins)` counts $|x|$ of all tensors of a list in equal bins
# between 0 and the largest $|x|$ of them all; it may go through the list twice. It returns the counts
# `[bins]` and the edges `[bins + 1]`; the last bin includes the largest value.
#
# **One candidate.** `kl_at(hist, i, levels)` asks: what if everything from bin $i$ on were clipped?
#
# 1. In a *copy*, `hist[0]` becomes `hist[1]`. After a ReLU half of the values are exactly 0; they cost
#    nothing, and without this rule they would drown the rest.
# 2. $P$ is `hist[:i]`, and all that lies beyond is added to its last bin: clipped values end up there.
# 3. $Q$ starts from `hist[:i]` *without* that addition: quantization sees only what is inside. Its $i$ bins
#    are merged into `levels` groups, bin $j$ into group $\lfloor j \cdot \mathrm{levels} / i \rfloor$: what lies
#    in one group gets the same code. Each group's total is then spread evenly over those of its bins in which
#    $P$ is not 0, and the others get 0.
# 4. Both are divided by their sums. Then $Q$ is lifted to at least $10^{-12}$, and the result is
#    $\sum P \ln (P / Q)$ over the bins where $P > 0$. If nothing is left of $Q$, it is infinite.
#
# The two errors pull in opposite directions: a small $i$ clips much (a tall last bin in $P$ that $Q$ lacks),
# a large $i$ merges many bins into one level.
#
# By hand, with `hist = [100, 4, 2, 2, 0, 1, 0, 1]`, `i = 6` and `levels = 2`: the copy starts with 4.
#
# | bin | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | inside | 4 | 4 | 2 | 2 | 0 | 1 |
# | $P$ | 4 | 4 | 2 | 2 | 0 | 1 + 1 = 2 |
# | group | 0 | 0 | 0 | 1 | 1 | 1 |
# | $Q$ | 10/3 | 10/3 | 10/3 | 3/2 | 0 | 3/2 |
#
# $P$ sums to 14, $Q$ to 13, and KL = 0.0393 nats.
#
# **The calibrator.** `KLCalibrator(bits)` is symmetric. With $b$ bits there are $2^{b-1}$ levels on the
# positive side, so `levels = 2^(bits-1)`; it tries every `i` from `levels` to `bins` and takes the threshold
# `edges[i]` of the best one, the largest of them on ties. What it observes you may keep here, or count at once
# if you find a way; its KL may be at most 1.02 times the best. Its scale is the threshold divided by the
# largest level, as ever. All-zero data gets some finite positive scale; `bins` smaller than `levels` is a
# `ValueError` of `kl_at`; the other errors are those of 4.1.

# %% [markdown] lang="zh-TW"
# ## 任務 4.2 · KL 散度
#
# 百分位數只決定要截掉**多少個**值，不問要付出什麼代價。TensorRT 的 entropy 校準是這樣想的：把 $|x|$ 的直方圖當成分布
# $P$，對每一個可能的門檻，想像量化之後剩下的分布 $Q$，然後選 $\mathrm{KL}(P \,\|\, Q)$ 最小的門檻。
#
# **直方圖。** `collect_histogram(batches, bins)` 把一串張量全部的 $|x|$，數進 0 到最大 $|x|$ 之間等寬的區間；這一串可以
# 走訪兩次。它傳回計數 `[bins]` 和邊界 `[bins + 1]`；最後一個區間包含最大值。
#
# **一個候選。** `kl_at(hist, i, levels)` 問的是：如果從第 $i$ 個區間起全部截斷，會怎麼樣？
#
# 1. 在一份**副本**裡，把 `hist[0]` 換成 `hist[1]`。ReLU 之後有一半的值剛好是 0；它們不花任何代價，沒有這條規則，它們會
#    把其他的全部淹沒。
# 2. $P$ 是 `hist[:i]`，更遠的全部加到它的最後一個區間：被截斷的值就落在那裡。
# 3. $Q$ 從**沒有**加上去的 `hist[:i]` 出發：量化只看得到裡面的。它的 $i$ 個區間合併成 `levels` 組，第 $j$ 個區間屬於第
#    $\lfloor j \cdot \mathrm{levels} / i \rfloor$ 組：同一組的值得到同一個整數碼。每組的總數再平均分給組裡 $P$ 不是 0 的
#    區間，其他區間是 0。
# 4. 兩者各除以自己的總和。然後把 $Q$ 抬高到至少 $10^{-12}$，結果是在 $P > 0$ 的區間上把 $\sum P \ln (P / Q)$ 加起來。如
#    果 $Q$ 什麼都不剩，結果就是無限大。
#
# 兩種誤差方向相反：$i$ 小，截掉的多（$P$ 的最後一個區間很高，而 $Q$ 沒有）；$i$ 大，很多區間擠進同一級。
#
# 手算一次，`hist = [100, 4, 2, 2, 0, 1, 0, 1]`、`i = 6`、`levels = 2`：副本的第一個數是 4。
#
# | 區間 | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | 裡面的 | 4 | 4 | 2 | 2 | 0 | 1 |
# | $P$ | 4 | 4 | 2 | 2 | 0 | 1 + 1 = 2 |
# | 組 | 0 | 0 | 0 | 1 | 1 | 1 |
# | $Q$ | 10/3 | 10/3 | 10/3 | 3/2 | 0 | 3/2 |
#
# $P$ 的總和是 14，$Q$ 是 13，KL = 0.0393 nats。
#
# **校準器。** `KLCalibrator(bits)` 是對稱的。$b$ 個位元時，正的一側有 $2^{b-1}$ 級，所以 `levels = 2^(bits-1)`；它試過從
# `levels` 到 `bins` 的每一個 `i`，取最好的那個的門檻 `edges[i]`，平手時取最大的。觀察到的資料，在這裡可以全部留著；如果你想得
# 到辦法，也可以邊看邊數；它的 KL 最多只能是最佳值的 1.02 倍。縮放係數照例是門檻除以最大的整數。全為零的資料得到有限的正
# 數縮放係數；`bins` 比 `levels` 少時，`kl_at` 要丟出 `ValueError`；其他的錯誤和 4.1 一樣。


# %%
### BEGIN SOLUTION
def _divergences(hist, candidates, levels):
    """The KL of each candidate of `candidates` int64 [n]: float64 [n]. `hist` is [bins]."""
    counts = hist.double().clone()
    counts[0] = counts[1]
    index, i = torch.arange(counts.numel(), device=hist.device), candidates.unsqueeze(1)
    kept = counts * (index < i)  # [n, bins], as all below
    p = kept + (index == i - 1) * (counts.sum() - kept.sum(dim=1, keepdim=True))
    occupied = (p > 0).double()
    group = (index * levels // i).clamp(max=levels)  # what lies beyond i goes into a group of its own
    empty = counts.new_zeros(len(candidates), levels + 1)
    totals, members = empty.scatter_add(1, group, kept), empty.scatter_add(1, group, occupied)
    q = (totals / members.clamp(min=1)).gather(1, group) * occupied
    mass = q.sum(dim=1, keepdim=True)
    p, q = p / p.sum(dim=1, keepdim=True), (q / mass).clamp(min=1e-12)
    return torch.xlogy(p, p / q).sum(dim=1).masked_fill(mass.squeeze(1) == 0, math.inf)


### END SOLUTION
def collect_histogram(batches, bins=2048):
    """Count |x| in equal bins between 0 and the largest |x|.

    batches a sequence of tensors, each of any shape and floating dtype
    returns (hist, edges): the counts [bins] and the edges of the bins [bins + 1], from 0 to the largest |x|
    """
    ### BEGIN SOLUTION
    magnitudes = [batch.detach().float().abs() for batch in batches]
    top = max(float(values.amax()) for values in magnitudes) or 1.0
    hist = sum(torch.histc(values, bins, 0.0, top).double() for values in magnitudes)
    return hist, torch.linspace(0.0, top, bins + 1, device=hist.device)
    ### END SOLUTION


def kl_at(hist, i, levels=128):
    """KL(P ‖ Q) in nats when everything from bin `i` on is clipped and the rest merged into `levels` levels.

    hist    counts [bins]; not modified
    i       int, levels to bins
    returns float; inf where nothing is left of Q
    raises  ValueError: fewer bins than levels
    """
    ### BEGIN SOLUTION
    if not levels <= i <= hist.numel():
        raise ValueError(f"i must lie between levels = {levels} and bins = {hist.numel()}, got {i}")
    return _divergences(hist, torch.tensor([i], device=hist.device), levels).item()
    ### END SOLUTION


class KLCalibrator:
    """Finds the symmetric threshold at which the quantized distribution is most like the original."""

    def __init__(self, bits=8):
        """bits 2 to 8 (ValueError)."""
        ### BEGIN SOLUTION
        require_bits(bits)
        self.bits, self.seen = bits, []
        ### END SOLUTION

    def observe(self, tensor):
        """Take note of a tensor of any shape and floating dtype.

        raises  ValueError: empty, NaN or infinite
        """
        ### BEGIN SOLUTION
        require_finite(tensor)
        self.seen.append(tensor.detach().float().abs().flatten())
        ### END SOLUTION

    def quantization_parameters(self):
        """(scale, 0): scale float32 with one element.

        raises  RuntimeError: nothing was observed
        """
        ### BEGIN SOLUTION
        if not self.seen:
            raise RuntimeError("nothing was observed: call observe with some data first")
        levels = 2 ** (self.bits - 1)
        hist, edges = collect_histogram(self.seen)
        candidates = torch.arange(hist.numel(), levels - 1, -1, device=hist.device)  # the largest first: it wins ties
        found = torch.cat([_divergences(hist, some, levels) for some in candidates.split(128)])
        return edges[candidates[found.argmin()]] / (levels - 1), 0
        ### END SOLUTION


# %%
check("4.2")

# %% [markdown] lang="en"
# ## Task 4.3 (given) · The MSE calibrator
#
# The plainest idea of all: try thresholds, quantize, and take the one with the least squared error. On a
# histogram that costs next to nothing, because a bin's middle can stand for all that is in it. It needs your
# `collect_histogram`.

# %% [markdown] lang="zh-TW"
# ## 任務 4.3（範例）· MSE 校準器
#
# 最直接的想法：試各種門檻，量化，取平方誤差最小的。用直方圖來算幾乎不花時間，因為區間的中點可以代表裡面所有的值。它需要你的
# `collect_histogram`。


# %%
class MSECalibrator:
    """Finds the symmetric threshold with the least squared error. Given: the interface of task 2.1."""

    def __init__(self, bits=8):
        require_bits(bits)
        self.bits, self.seen = bits, []

    def observe(self, tensor):
        """Keep |x| of a tensor."""
        require_finite(tensor)
        self.seen.append(tensor.detach().abs().flatten())

    def quantization_parameters(self):
        """(scale, 0) of the best of 512 thresholds."""
        if not self.seen:
            raise RuntimeError("nothing was observed: call observe with some data first")
        hist, edges = collect_histogram(self.seen)
        middle, top = (edges[:-1] + edges[1:]) / 2, 2 ** (self.bits - 1) - 1
        scales = edges[4::4] / top  # [512]
        steps = torch.round(middle / scales.unsqueeze(1))  # [512, bins]
        error = steps.clamp(max=top) * scales.unsqueeze(1) - middle
        return scales[(error.square() * hist).sum(dim=1).argmin()], 0


# %% [markdown] lang="en"
# ## 3 · Four calibrators, one activation
#
# First one layer: what goes into the last `down_proj` of the model with outliers. The first figure is its
# histogram with everyone's threshold, the second the KL of the candidates at 8, 6 and 4 bits. Both axes of the
# histogram are logarithmic: the hill on the right is the outlier channels, a hundred times beyond the rest.

# %% [markdown] lang="zh-TW"
# ## 3 · 四種校準器，一份激活值
#
# 先看一層：有離群值的模型裡，最後一個 `down_proj` 的輸入。第一張圖是它的直方圖和每種校準器的門檻，第二張圖是 8、6、4 位
# 元時各候選的 KL。直方圖的兩軸都是對數：右邊的小丘就是離群通道，比其他值遠上百倍。


# %%
class MinMax:
    """Symmetric min-max, for comparison: the threshold is the largest |x|."""

    def __init__(self, bits=8):
        self.bits, self.largest = bits, torch.tensor(0.0)

    def observe(self, tensor):
        """Remember the largest |x|."""
        self.largest = torch.maximum(self.largest, tensor.abs().max())

    def quantization_parameters(self):
        """(scale, 0)."""
        return self.largest / (2 ** (self.bits - 1) - 1), 0


class Keeper(MinMax):
    """Keeps what it is shown, to look at it."""

    def observe(self, tensor):
        """Keep the tensor."""
        self.seen = [*getattr(self, "seen", []), tensor]

    def quantization_parameters(self):
        """Not parameters, but the values themselves."""
        return torch.cat([tensor.flatten() for tensor in self.seen])


calibrators = {
    "min-max": MinMax,
    "99.99 %": lambda bits: PercentileCalibrator(bits, percentile=99.99),
    "99.9 %": PercentileCalibrator,
    "MSE": MSECalibrator,
    "KL": KLCalibrator,
}
last = "model.layers.3.mlp.down_proj"
values = calibrate_model(spiky, calibration[:2], Keeper)[last]


def threshold_of(make_calibrator, values, bits):
    """The symmetric threshold that a calibrator finds for these values."""
    calibrator = make_calibrator(bits=bits)
    calibrator.observe(values)
    return float(calibrator.quantization_parameters()[0]) * (2 ** (bits - 1) - 1)


thresholds = {name: threshold_of(make, values, 8) for name, make in calibrators.items()}
for name, threshold in thresholds.items():
    print(f"{name:8} threshold {threshold:9.3f}   clipped {float((values.abs() > threshold).float().mean()):.4%}")
plot_thresholds(values, thresholds, title=f"input of {last}")

# %%
hist, edges = collect_histogram([values])
curves = {}
for bits in (8, 6, 4):
    levels = 2 ** (bits - 1)
    curves[bits] = [(float(edges[i]), kl_at(hist, i, levels)) for i in range(levels, 2049, 8)]
plot_kl_curve(curves)

# %% [markdown] lang="en"
# The fewer bits, the farther left the lowest point: with few levels, merging bins costs more than clipping. MSE
# stays close to min-max: one clipped outlier is off by a hundred, and its square outweighs thousands of small
# errors. KL clips the outliers away. Which of them is right can't be seen in one layer's histogram.
#
# Now all layers. The experiment below rounds only the *inputs* of every linear layer to 8 or 6 bits, leaves the
# weights alone, and measures the KL of the model's outputs, once without and once with outlier channels.
# Before you run it: which calibrator do you expect to win?

# %% [markdown] lang="zh-TW"
# 位元越少，最低點越往左：級數少的時候，把區間併在一起比截斷更貴。MSE 和 min-max 很接近：截掉一個離群值，誤差就是一百，它
# 的平方勝過幾千個小誤差。KL 則把離群值截掉。誰才對，從一層的直方圖是看不出來的。
#
# 接著看所有的層。下面的實驗只把每個線性層的**輸入**捨入到 8 或 6 位元，權重不動，然後量模型輸出的 KL，一次沒有離群通
# 道，一次有。執行之前先想想：你覺得哪一種校準器會贏？


# %%
def logits_with_rounded_inputs(model, parameters, bits, batches):
    """The logits when each layer of `parameters` gets its input rounded: {name: (scale, zero point)}."""

    def rounding(scale):
        top = 2 ** (bits - 1) - 1
        return lambda _, args: (torch.round(args[0] / scale).clamp(-top - 1, top) * scale,)

    hooks = [
        model.get_submodule(name).register_forward_pre_hook(rounding(scale)) for name, (scale, _) in parameters.items()
    ]
    try:
        with torch.no_grad():
            return torch.cat([model(**batch).logits for batch in batches])
    finally:
        for hook in hooks:
            hook.remove()


table = {}
settings = {"no outliers, A8": (plain, 8), "outliers, A8": (spiky, 8), "outliers, A6": (spiky, 6)}
for column, (model, bits) in tqdm(settings.items(), file=sys.stdout, leave=False):
    original = logits_with_rounded_inputs(model, {}, bits, evaluation[:1])
    for name, make in calibrators.items():
        parameters = calibrate_model(model, calibration[:1], lambda make=make, bits=bits: make(bits=bits))
        rounded = logits_with_rounded_inputs(model, parameters, bits, evaluation[:1])
        table[name, column] = float(compute_kl_div(original, rounded))
        log_experiment("calibrators", calibrator=name, data=column, kl_nats=table[name, column])
print("KL of the outputs (nats)\n" + " " * 10 + "".join(f"{column:>18}" for column in settings))
for name in calibrators:
    print(f"{name:10}" + "".join(f"{kl:18.5f}" for (row, _), kl in table.items() if row == name))

# %% [markdown] lang="en"
# What we saw when we ran it, and what it teaches:
#
# - **Without outliers** min-max and the 99.99th percentile are best, and KL, the method with the best
#   reputation, is several times *worse* than no method at all. It compares shapes of histograms; it doesn't
#   know that the few large values that it clips are the ones the next layer listens to.
# - **With outliers at 8 bits** the 99.9th percentile wins by a little, and KL is close.
# - **With outliers at 6 bits** KL wins by a factor of ten and more: the others leave all ordinary values a
#   handful of levels, and the model is destroyed.
# - **MSE** protects the largest values at any price, so it follows min-max into the same trap.
#
# So "KL is the most accurate" is false, and so is every other sentence of that kind. (ONNX Runtime's users
# measured on BERT-large: min-max 84.6, entropy 83.0, percentile 0.3 % exact match.) Which calibrator is best
# depends on the data, the bits and the model: measure it, on outputs, with data that resembles what will
# come.

# %% [markdown] lang="zh-TW"
# 我們執行時看到的，以及它教我們的事：
#
# - **沒有離群值**時，min-max 和第 99.99 百分位數最好；名聲最響的 KL 反而比什麼都不做還**差**好幾倍。它比的是直方圖的形
#   狀，不知道它截掉的那幾個大的值，正是下一層要聽的。
# - **有離群值、8 位元**時，第 99.9 百分位數以些微差距獲勝，KL 很接近。
# - **有離群值、6 位元**時，KL 以十倍以上的差距獲勝：其他方法只留給一般的值寥寥幾級，模型就毀了。
# - **MSE** 不惜代價保護最大的值，所以跟著 min-max 掉進同一個陷阱。
#
# 所以「KL 最準」這句話是錯的，任何這類的句子也都是錯的。（ONNX Runtime 的使用者在 BERT-large 上量到的完全吻合率：min-max
# 84.6、entropy 83.0、percentile 0.3 %。）哪種校準器最好，要看資料、位元數和模型：用和實際情況相近的資料，在輸出上量量看。

# %% [markdown] lang="en"
# ## Task 4.4 · Which layers are sensitive?
#
# A model doesn't suffer evenly. To find out where, quantize *one* layer's weight and leave the rest alone,
# measure how far the outputs move, put the weight back, and go on to the next. The measure is the KL of the
# outputs, KL(original ‖ quantized), as in task 1.8: the mean over all rows of all batches. Accuracy would be too
# blunt for a single layer.
#
# `layer_sensitivity(model, batches, bits)` does so for every `nn.Linear` and every `Conv1D` and each number of
# bits: `{"lm_head": {2: 0.31, 3: 0.05, …}, …}`. Weights are quantized symmetrically, one scale for each *output*
# channel: axis 0 of an `nn.Linear`, axis 1 of GPT-2's `Conv1D`, whose weight is `[in, out]`.
#
# A model that you are handed is *borrowed*. Afterwards it must be as it was, even if something raised in
# between: the same weights to the bit (keep a copy; subtracting what you added is not the same), the same mode
# (measure in eval mode, or dropout measures itself), no hook left, no gradients. A layer that no batch ever calls
# is left out. A head that shares its weight with the embedding may be left out or not: quantizing it changes the
# embedding, too.
#
# Don't expect the KL to fall with *every* bit: at 3 bits another weight than at 4 may happen to round badly.

# %% [markdown] lang="zh-TW"
# ## 任務 4.4 · 哪些層敏感？
#
# 模型不是每個地方都一樣痛。要找出痛在哪裡，就只量化**一層**的權重，其他都不動，量輸出偏離多少，把權重放回去，再換下一
# 層。用的指標是輸出的 KL，KL(original ‖ quantized)，和任務 1.8 一樣：在所有批次的所有列上取平均。只動一層時，準確率太遲鈍
# 了。
#
# `layer_sensitivity(model, batches, bits)` 對每個 `nn.Linear`、每個 `Conv1D` 和每種位元數都這麼做：
# `{"lm_head": {2: 0.31, 3: 0.05, …}, …}`。權重用對稱量化，每個**輸出**通道一個縮放係數：`nn.Linear` 是第 0 軸；GPT-2 的
# `Conv1D` 權重是 `[in, out]`，所以是第 1 軸。
#
# 別人交給你的模型是**借來的**。用完之後必須和原來一樣，即使中途出了錯：權重一個位元都不差（要留副本；把加上去的再減掉，
# 結果並不相同），模式不變（要在 eval 模式下量，不然量到的是 dropout），不留 hook，不算梯度。從來沒被呼叫的層不列入。和嵌入
# 共用權重的 head，列不列入都可以：量化它，嵌入也會跟著變。
#
# 不要期待 KL **每多**一個位元就下降：3 位元和 4 位元時，剛好捨入得不好的可能是不同的權重。


# %%
### BEGIN SOLUTION
def _kept_axis(layer):
    """The axis of the output channels in a layer's weight."""
    return 1 if isinstance(layer, Conv1D) else 0


def _quantizable(model):
    """Every nn.Linear and Conv1D by name, without a head that shares its weight with an embedding."""
    shared = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    layers = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear | Conv1D)}
    return {name: layer for name, layer in layers.items() if id(layer.weight) not in shared}


def _logits(model, batches):
    """The logits of all rows of all batches: [rows, classes]."""
    return torch.cat([model(**batch).logits.flatten(0, -2) for batch in batches])


def _kl_with(model, layer, bits, batches, original):
    """The KL of the outputs while one layer's weight is quantized."""
    kept = layer.weight.detach().clone()
    try:
        layer.weight.copy_(fake_quantize(kept, bits, _kept_axis(layer)))
        return float(compute_kl_div(original, _logits(model, batches)))
    finally:
        layer.weight.copy_(kept)


### END SOLUTION
def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    """How far the outputs move when one layer's weight is quantized per output channel, for each layer.

    model   a transformers model; left as it was
    batches dicts of tensors, called as model(**batch); the result has .logits [..., classes]
    bits    numbers of bits, each an int from 2 to 8
    returns {layer name: {bits: KL(original ‖ quantized) in nats, the mean over all rows}}
    raises  ValueError: bits out of range
    """
    ### BEGIN SOLUTION
    modes, layers, called = [(part, part.training) for part in model.modules()], _quantizable(model), set()
    hooks = [layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            original = _logits(model.eval(), batches)
            return {
                name: {b: _kl_with(model, layer, b, batches, original) for b in bits}
                for name, layer in layers.items()
                if name in called
            }
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes:
            part.training = training
    ### END SOLUTION


# %%
check("4.4")

# %% [markdown] lang="en"
# ## 4 · The heat map
#
# Every layer of the Llama-style model at 2, 3, 4, 6 and 8 bits: 145 measurements, some twenty seconds.

# %% [markdown] lang="zh-TW"
# ## 4 · 熱圖
#
# Llama 風格模型的每一層，2、3、4、6、8 位元：145 次測量，大約二十秒。

# %%
probe = take_batches(load_batches("tiny-llama", "calibration"), count=1, size=8)
sensitivity = layer_sensitivity(plain, probe)
worst = sorted(sensitivity, key=lambda name: sensitivity[name][3], reverse=True)
for name in [*worst[:3], *worst[-3:]]:
    print(f"{name:34} at 3 bits {sensitivity[name][3]:.5f} nats")
plot_sensitivity(sensitivity)

# %% [markdown] lang="en"
# Read it by rows. The head and the first block are the sensitive ones: at 3 bits the head alone costs about a
# thousand times as much as the calmest layer of the middle. Nothing about the weights of these layers looks
# special; what counts is where they stand. An error in the first block is carried through all the others, and
# after the head there is nothing left that could mend it. Read it by columns: every bit makes things about four
# to ten times better, everywhere. So a bit too few in one sensitive layer weighs as much as several bits too few
# in many calm ones.

# %% [markdown] lang="zh-TW"
# 先橫著看。敏感的是 head 和第一個區塊：3 位元時，光是 head 的代價就大約是中間最不敏感的那一層的一千倍。這些層的權重看起來並
# 沒有什麼特別，重要的是它們的位置：第一個區塊的誤差會一路帶過所有的層，而 head 之後再也沒有東西能補救。再直著看：每多一個位
# 元，到處都會好四到十倍。所以，在一個敏感的層少給一個位元，抵得過在許多不敏感的層各少給好幾個位元。

# %% [markdown] lang="en"
# ## Task 4.5 · Mixed precision
#
# Bits are money. Given what each layer would suffer at each number of bits, and a budget in bytes, which layer
# gets how many? `assign_bits(sensitivity, sizes, budget_bytes)` returns a plan `{layer: bits}` with the least
# total sensitivity that the budget allows.
#
# - `sensitivity[layer]` is `{bits: KL}`; its keys are the bits that this layer offers, and layers may offer
#   different ones. 16 may be among them: left alone, at 2 bytes a weight.
# - A layer of $n$ weights costs $\lceil n \cdot b / 8 \rceil$ bytes: whole bytes, layer by layer.
# - The plan never costs more than the budget. If even the cheapest one would, that is a `ValueError`.
# - With 24 layers or more the total may be at most 1.05 times the least possible, with fewer at most 1.25 times.
#
# By hand, with 600 bytes:
#
# | layer | weights | KL at 2, 4, 8 bits | bytes at 2, 4, 8 bits |
# |---|---|---|---|
# | `wide` | 1600 | 0.020, 0.008, 0.001 | 400, 800, 1600 |
# | `head` | 80 | 0.900, 0.200, 0.010 | 20, 40, 80 |
# | `mid` | 200 | 0.300, 0.050, 0.004 | 50, 100, 200 |
#
# At 2 bits everywhere it is 470 bytes and 1.22 nats. The 130 bytes that are left bring most in `head` at 8 bits
# (0.89 for 60 bytes) and then in `mid` at 4 bits (0.25 for 50): 580 bytes and 0.08 nats. 4 bits everywhere, 940
# bytes, would be worse.
#
# This is a *knapsack problem*, and there are two roads. **Greedy**: start from the cheapest plan and buy, again
# and again, the upgrade that gains most *per byte*. Mind that KL may rise from one number of bits to the next:
# look at all upgrades of a layer, not only at the next one. **Exact**: go through the layers one by one and keep,
# for each amount of bytes spent, only the best total so far; a partial plan that costs more and is worse than
# another can never win.
#
# Then `quantize_mixed(model, plan)` makes the model: a *copy* in which each layer of the plan has its weight
# quantized per output channel and restored (so that it still runs everywhere), while layers with 16 and layers that
# the plan doesn't name are left alone. Tied stays tied: write into the weight that is there, don't hang up a new
# one. Other numbers of bits are a `ValueError`.

# %% [markdown] lang="zh-TW"
# ## 任務 4.5 · 混合精度
#
# 位元就是錢。已知每一層在每種位元數下會多痛，再加上以位元組計的預算，哪一層該給多少位元？
# `assign_bits(sensitivity, sizes, budget_bytes)` 傳回一份計畫 `{layer: bits}`，是預算之內總敏感度最小的。
#
# - `sensitivity[layer]` 是 `{bits: KL}`；它的鍵就是這一層可以選的位元數，各層可選的可以不同。其中可能有 16：不量化，每個
#   權重 2 個位元組。
# - 一層有 $n$ 個權重，要花 $\lceil n \cdot b / 8 \rceil$ 個位元組：逐層算，取整數個位元組。
# - 計畫絕不超出預算。如果連最便宜的計畫都超出，就是 `ValueError`。
# - 24 層以上時，總敏感度最多是可能的最小值的 1.05 倍；層數更少時，最多 1.25 倍。
#
# 手算一次，預算 600 個位元組：
#
# | 層 | 權重數 | 2、4、8 位元的 KL | 2、4、8 位元的位元組數 |
# |---|---|---|---|
# | `wide` | 1600 | 0.020、0.008、0.001 | 400、800、1600 |
# | `head` | 80 | 0.900、0.200、0.010 | 20、40、80 |
# | `mid` | 200 | 0.300、0.050、0.004 | 50、100、200 |
#
# 全部用 2 位元，是 470 個位元組和 1.22 nats。剩下的 130 個位元組，花在 8 位元的 `head` 最划算（60 個位元組換 0.89），其次是
# 4 位元的 `mid`（50 個換 0.25）：一共 580 個位元組，0.08 nats。全部用 4 位元要 940 個位元組，反而更差。
#
# 這是**背包問題**，有兩條路。**貪婪法**：從最便宜的計畫開始，一次又一次買下**每個位元組**賺最多的升級。注意 KL 可能因為多一
# 個位元反而上升：要看一層所有的升級，不能只看下一級。**精確法**：一層一層走，對每一種已花掉的位元組數，只留到目前為止最好的總
# 和；一份更貴又更差的部分計畫，永遠不可能贏。
#
# 接著 `quantize_mixed(model, plan)` 做出模型：一份**副本**，計畫裡的每一層，權重逐輸出通道量化再還原（這樣在哪裡都跑得
# 動）；標 16 的層和計畫沒提到的層原封不動。共用的權重仍要共用：把值寫進原有的權重，不要換上新的。其他的位元數是
# `ValueError`。


# %%
### BEGIN SOLUTION
def _bytes_of(count, bits):
    """What `count` weights of `bits` bits cost, in whole bytes."""
    return -(-count * bits // 8)


def _extended(plans, options, budget):
    """Each plan with each option (bytes, KL, bits), without those that cost more and are no better than another."""
    longer = [(spent + cost, total + kl, (chain, bits)) for spent, total, chain in plans for cost, kl, bits in options]
    best = []
    for plan in sorted(longer, key=lambda plan: plan[:2]):
        if plan[0] <= budget and (not best or plan[1] < best[-1][1]):
            best.append(plan)
    return best


### END SOLUTION
def assign_bits(sensitivity, sizes, budget_bytes):
    """The numbers of bits with the least total sensitivity within a budget.

    sensitivity   {layer: {bits: KL}}; the keys are the bits that a layer offers, 16 means left alone
    sizes         {layer: number of weights}
    budget_bytes  int; a layer costs ceil(weights · bits / 8) bytes
    returns       {layer: bits}
    raises        ValueError: even the cheapest plan costs more than the budget
    """
    ### BEGIN SOLUTION
    plans = [(0, 0.0, ())]  # (bytes, total KL, chain of choices), from the cheapest and worst to the dearest and best
    for name, offered in sensitivity.items():
        options = [(_bytes_of(sizes[name], bits), kl, bits) for bits, kl in offered.items()]
        plans = _extended(plans, options, budget_bytes)
    if not plans:
        least = sum(_bytes_of(sizes[name], min(offered)) for name, offered in sensitivity.items())
        raise ValueError(f"the cheapest plan costs {least} bytes, more than the budget of {budget_bytes}")
    chosen, chain = [], plans[-1][2]
    while chain:
        chain, bits = chain
        chosen.append(bits)
    return dict(zip(sensitivity, reversed(chosen), strict=True))
    ### END SOLUTION


def quantize_mixed(model, plan):
    """A copy of the model in which each layer's weight is quantized and restored as the plan says.

    plan    {layer name: bits}; 16, or not in the plan: left alone
    returns a model of the same kind; tied weights stay tied
    raises  ValueError: bits that are neither 2 to 8 nor 16
    """
    ### BEGIN SOLUTION
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, bits in plan.items():
            if bits != 16:
                layer = made.get_submodule(name)
                layer.weight.copy_(fake_quantize(layer.weight, bits, _kept_axis(layer)))
    return made
    ### END SOLUTION


# %%
check("4.5")

# %% [markdown] lang="en"
# ## 5 · What mixed precision buys
#
# For a row of budgets: the same number of bits in every layer, against your plan within the same bytes. The
# sensitivity was measured on calibration data, the KL in the figure on other data.

# %% [markdown] lang="zh-TW"
# ## 5 · 混合精度值多少
#
# 一系列的預算：每層位元數相同，對上同樣位元組數之內你的計畫。敏感度是用校準資料量的，圖裡的 KL 用的是另外的資料。

# %%
sizes = {name: plain.get_submodule(name).weight.numel() for name in sensitivity}
for name in sensitivity:
    sensitivity[name][16] = 0.0  # left alone: nothing moves


def size_of(plan):
    """The bytes of a plan's weights; a layer without bits counts as float16."""
    return sum(-(-sizes[name] * plan.get(name, 16) // 8) for name in sizes)


def damage(plan, model=plain):
    """KL of the outputs on the evaluation batches when the plan is carried out."""
    made = quantize_mixed(model, plan)
    with torch.no_grad():
        pairs = [(model(**batch).logits, made(**batch).logits) for batch in evaluation[:1]]
    return float(sum(compute_kl_div(*pair) for pair in pairs) / len(pairs))


uniform_plans = {bits: dict.fromkeys(sizes, bits) for bits in (2, 3, 4, 5, 6, 8)}
rows = [{"plan": "uniform", "bytes": size_of(plan), "kl": damage(plan)} for plan in uniform_plans.values()]
for budget in sorted(size_of(plan) for plan in uniform_plans.values()):
    plan = assign_bits(sensitivity, sizes, budget)
    rows.append({"plan": "mixed", "bytes": size_of(plan), "kl": damage(plan)})
for row in rows:
    log_experiment("mixed precision", **row)
    print(f"{row['plan']:8} {row['bytes'] / 1e6:6.3f} MB   KL {row['kl']:.5f}")
plot_budgets(rows)

# %% [markdown] lang="en"
# At the two ends there is nothing to choose: everybody has 2 bits, or everybody nearly all they want. In between
# the plan's KL is three to six times lower for the same bytes, worth about one bit a weight: the plan with an
# average of 4 bits does what uniform quantization does with 5.

# %% [markdown] lang="zh-TW"
# 兩端沒有什麼可選：不是每層都只有 2 位元，就是每層幾乎都拿到想要的。在中間，同樣的位元組數，計畫的 KL 低了三到六倍，大約值每
# 個權重一個位元：平均 4 位元的計畫，做到了每層一律 5 位元的成果。

# %% [markdown] lang="en"
# ### A sensitive layer left at FP16
#
# The oldest advice in the handout: when quantization hurts, find the worst layers and leave them alone. All at 3
# bits, then with the two most sensitive layers in 16 bits, then, for comparison, with the two *least* sensitive
# ones.

# %% [markdown] lang="zh-TW"
# ### 讓敏感的層留在 FP16
#
# 講義裡最老的建議：量化後變差，就找出最糟的層，不要動它們。先全部用 3 位元，再讓最敏感的兩層留在 16 位元；最後對照一下，改
# 讓**最不**敏感的兩層留在 16 位元。

# %%
three = dict.fromkeys(sizes, 3)
plans = {
    "all at 3 bits": three,
    "two most sensitive at 16": {**three, **dict.fromkeys(worst[:2], 16)},
    "two least sensitive at 16": {**three, **dict.fromkeys(worst[-2:], 16)},
    "mixed, same bytes as row 2": None,
}
plans["mixed, same bytes as row 2"] = assign_bits(sensitivity, sizes, size_of(plans["two most sensitive at 16"]))
models = {"float32": plain, **{name: quantize_mixed(plain, plan) for name, plan in plans.items()}}
linear_bytes = {id(models[name]): size_of(plan) for name, plan in plans.items()} | {id(plain): 4 * sum(sizes.values())}


measures = {"size": lambda model: linear_bytes[id(model)], "kl": compute_kl_div}
comparison = compare(models, evaluation[:1], measures, name="a sensitive layer at FP16")
comparison

# %% [markdown] lang="en"
# Sizes are those of the linear layers alone. Leaving the two most sensitive layers at 16 bits takes away two
# thirds of the damage; leaving the two least sensitive ones there takes away nothing and costs nearly as much. So
# the advice is good. But look at the last row: the same bytes, spread by `assign_bits`, do more than thirty times
# better. From 3 to 16 bits is a long way, and 6 or 8 would have been enough for those two.

# %% [markdown] lang="zh-TW"
# 大小只算線性層。讓最敏感的兩層留在 16 位元，損害少了三分之二；讓最不敏感的兩層留著，什麼也沒少，花的位元組卻差不多。所以這個
# 建議是好的。但看看最後一列：同樣的位元組數，由 `assign_bits` 分配，好了三十倍以上。從 3 到 16 位元太遠了，那兩層其實給 6 或 8
# 位元就夠了。

# %% [markdown] lang="en"
# ### Progressive quantization
#
# The same question as a curve: quantize layer after layer to 3 bits, once from the least sensitive on, once from
# the most sensitive on, and watch the KL. A deployment that has to reach a given size stops where the curve begins
# to climb.

# %% [markdown] lang="zh-TW"
# ### 漸進式量化
#
# 同一個問題，畫成曲線：一層接一層量化到 3 位元，一次從最不敏感的開始，一次從最敏感的開始，看 KL 怎麼變。如果部署時必須縮到
# 某個大小，就在曲線開始往上爬的地方停下來。


# %%
def progressive(order):
    """[(bytes, KL)] while layer after layer of `order` is quantized to 3 bits, every second one measured."""
    points = [(size_of({}), 0.0)]
    for count in range(len(order) % 2 or 2, len(order) + 1, 2):
        plan = {name: 3 for name in order[:count]}
        points.append((size_of(plan), damage(plan)))
    return points


orders = {"least sensitive first": worst[::-1], "most sensitive first": worst}
progress = {label: progressive(order) for label, order in tqdm(orders.items(), file=sys.stdout, leave=False)}
plot_progressive(progress)

# %% [markdown] lang="en"
# In the right order, more than half of the bytes go away before the curve leaves the ground; in the wrong order
# the first layer costs most of what there is to lose. Where to stop is the engineer's decision, and this curve is
# what to decide it by.

# %% [markdown] lang="zh-TW"
# 順序對的話，省掉一半以上的位元組，曲線都還貼著地面；順序錯的話，光是第一層就付出了大半的代價。停在哪裡由工程師決定，依據就是這
# 條曲線。

# %% [markdown] lang="en"
# ## 6 · Outliers that can be moved
#
# So far the outliers were something to live with: clip them, or pay for them with bits. But look at *where*
# they are. The model with outliers has them in a few channels, always the same ones, whatever the text. Here
# is the first norm of the model, whose output the query, key and value layers read.

# %% [markdown] lang="zh-TW"
# ## 6 · 可以搬走的離群值
#
# 到目前為止，離群值只能忍受：截掉它們，或是多花位元。但是看看它們**在哪裡**：在帶有離群值的模型裡，它們只出現在少數幾個
# 通道，不管讀什麼文字，永遠是同樣那幾個。下面是模型的第一個正規化層（norm），query、key、value 三層都讀它的輸出。


# %%
def outputs_of(module, model, batches):
    """Everything that one module of the model puts out on these batches: float32 [rows, channels]."""
    seen = []
    hook = module.register_forward_hook(lambda _, args, output: seen.append(output.flatten(0, -2)))
    with torch.no_grad():
        for batch in batches:
            model(**batch)
    hook.remove()
    return torch.cat(seen)


block = spiky.model.layers[0]
norm, readers = block.input_layernorm, [block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj]
activations = outputs_of(norm, spiky, calibration)  # [rows, in]
act_amax = activations.abs().amax(dim=0)
weight = torch.cat([layer.weight for layer in readers])  # the three that read the same norm: [3 · out, in]
plot_channel_peaks({"activations": act_amax, "weights": weight.abs().amax(dim=0)})

# %% [markdown] lang="en"
# With one scale for the whole tensor, the two loud channels take nearly all of the levels, and the other 254 share
# what is left. The weights on the right have no such peaks; the channels that are loud on the left are even the
# quietest there.
#
# ## Task 4.6 · SmoothQuant
#
# A linear layer doesn't mind who scales a channel. For any positive $s_j$,
#
# $$y = \sum_j x_j w_j = \sum_j \frac{x_j}{s_j} \cdot (s_j w_j)$$
#
# so difficulty can be *moved*: from activations, which are hard to quantize because each token needs the same
# scale, into weights, which are easy. And it costs nothing at run time, since the division by $s$ disappears in
# the norm that made the activations: its weight (and its bias, if it has one) is divided by $s$ once and for all.
#
# How much to move? All of it would only turn the problem round. SmoothQuant shares it:
#
# $$s_j = \frac{\max|x_j|^{\alpha}}{\max|w_j|^{1-\alpha}}$$
#
# where $\max|x_j|$ is the largest activation of input channel $j$ on calibration data and $\max|w_j|$ the
# largest weight of that *input* channel. With $\alpha = 0.5$ both end up with the same peak,
# $\sqrt{\max|x_j| \cdot \max|w_j|}$. By hand:
#
# | channel | max of \|x\| | max of \|w\| | s | x afterwards | w afterwards |
# |---|---|---|---|---|---|
# | 0 | 16 | 4 | √16 / √4 = 2 | 8 | 8 |
# | 1 | 1 | 0.25 | √1 / √0.25 = 2 | 0.5 | 0.5 |
# | 2 | 100 | 1 | √100 / √1 = 10 | 10 | 10 |
# | 3 | 0 | 3 | 1, by rule | 0 | 3 |
#
# - `smoothquant_scales(act_amax, weight, alpha=0.5)`: `act_amax` is `[in]`, `weight` is `[out, in]`. Layers that
#   share a norm share its scales, so their weights are put one below the other before (as in the cell above). A
#   channel that is zero on either side has nothing to move: its scale is 1.
# - `apply_smoothquant(norm, linears, scales) -> (norm, linears)`: copies, and the originals stay as they are.
#   `norm` may be an `nn.LayerNorm` or Llama's `RMSNorm`, with or without a bias. In float32 the copies compute the
#   same (to 1e-5); in 8 bits the error is clearly smaller.

# %% [markdown] lang="zh-TW"
# 整個張量共用一個縮放係數時，兩個特別大聲的通道幾乎佔走所有的級數，其餘 254 個通道只能分剩下的。右邊的權重沒有這種尖峰；左
# 邊大聲的通道，在右邊反而最小。
#
# ## 任務 4.6 · SmoothQuant
#
# 線性層不在乎一個通道由誰來縮放。對任何正的 $s_j$，
#
# $$y = \sum_j x_j w_j = \sum_j \frac{x_j}{s_j} \cdot (s_j w_j)$$
#
# 所以困難可以**搬家**：從激活值（每個 token 都得用同一個縮放係數，很難量化）搬到權重（很容易量化）。而且執行時不花任何代
# 價，因為除以 $s$ 可以併進產生這些激活值的正規化層：把它的權重（如果有偏差，偏差也要）一次除以 $s$ 就好。
#
# 要搬多少？全部搬過去，只是把問題反過來。SmoothQuant 的做法是兩邊分攤：
#
# $$s_j = \frac{\max|x_j|^{\alpha}}{\max|w_j|^{1-\alpha}}$$
#
# 其中 $\max|x_j|$ 是第 $j$ 個輸入通道在校準資料上最大的激活值，$\max|w_j|$ 是這個**輸入**通道最大的權重。$\alpha = 0.5$
# 時，兩邊的最大值會變得一樣，都是 $\sqrt{\max|x_j| \cdot \max|w_j|}$。手算一次：
#
# | 通道 | \|x\| 的最大值 | \|w\| 的最大值 | s | 之後的 x | 之後的 w |
# |---|---|---|---|---|---|
# | 0 | 16 | 4 | √16 / √4 = 2 | 8 | 8 |
# | 1 | 1 | 0.25 | √1 / √0.25 = 2 | 0.5 | 0.5 |
# | 2 | 100 | 1 | √100 / √1 = 10 | 10 | 10 |
# | 3 | 0 | 3 | 依規定為 1 | 0 | 3 |
#
# - `smoothquant_scales(act_amax, weight, alpha=0.5)`：`act_amax` 是 `[in]`，`weight` 是 `[out, in]`。讀同一個正規化層的
#   各層共用縮放係數，所以事先把它們的權重上下接在一起（就像上面的儲存格）。任何一邊全為零的通道沒有東西可搬：縮放係數是 1。
# - `apply_smoothquant(norm, linears, scales) -> (norm, linears)`：傳回副本，原來的保持不變。`norm` 可能是 `nn.LayerNorm`
#   或 Llama 的 `RMSNorm`，有沒有偏差都可能。在 float32 下，副本算出來的結果相同（誤差在 1e-5 以內）；在 8 位元下，誤差明顯
#   變小。


# %%
def smoothquant_scales(act_amax, weight, alpha=0.5):
    """How far SmoothQuant turns each channel down: act_amax^alpha / amax_w^(1 − alpha); 1 for channels that are zero.

    act_amax  [in], the largest |activation| of each channel on calibration data
    weight    [out, in]; several weights that read the same activations are put one below the other
    returns   scales, float32 [in]
    """
    ### BEGIN SOLUTION
    peak, act_amax = weight.detach().float().abs().amax(dim=0), act_amax.detach().float()
    zero = (act_amax == 0) | (peak == 0)
    return torch.where(zero, 1.0, act_amax**alpha / peak ** (1 - alpha))
    ### END SOLUTION


def apply_smoothquant(norm, linears, scales):
    """Divide what the norm puts out by `scales`, and make up for it in the linear layers that read it.

    norm     nn.LayerNorm, or any norm with a weight [in] and perhaps a bias [in]
    linears  list of nn.Linear that read the norm's output, weights [out, in]
    scales   [in]
    returns  (norm, linears): copies; the originals stay as they are
    """
    ### BEGIN SOLUTION
    norm, linears = copy.deepcopy(norm), [copy.deepcopy(layer) for layer in linears]
    with torch.no_grad():
        norm.weight /= scales
        if getattr(norm, "bias", None) is not None:  # Llama's norm has none
            norm.bias /= scales
        for layer in linears:
            layer.weight *= scales  # [out, in] * [in]: column by column
    return norm, linears
    ### END SOLUTION


# %%
check("4.6")

# %% [markdown] lang="en"
# ### What it does to the peaks
#
# Activations and weights before and after, on one scale. What the activations lose, the weights get.

# %% [markdown] lang="zh-TW"
# ### 它對最大值做了什麼
#
# 激活值和權重，之前與之後，用同一個刻度畫出來。激活值少掉的，就是權重多出來的。

# %%
scales = smoothquant_scales(act_amax, weight)
plot_channel_peaks(
    {
        "activations before": act_amax,
        "weights before": weight.abs().amax(dim=0),
        "activations after": act_amax / scales,
        "weights after": (weight * scales).abs().amax(dim=0),
    }
)

# %% [markdown] lang="en"
# ### How strong?
#
# The error of the three layers' outputs in 8 bits (activations per tensor, weights per output channel) for every
# strength $\alpha$. Dashed: the error without SmoothQuant. Two kinds of outliers: those of this model, whose loud
# channels meet small weights, and channels that are 64 times louder while their weights stay as they were.

# %% [markdown] lang="zh-TW"
# ### 要多強？
#
# 對每一種強度 $\alpha$，這三層的輸出在 8 位元下的誤差（激活值逐張量、權重逐輸出通道）。虛線是不用 SmoothQuant 的誤差。離群
# 值有兩種：這個模型的（大聲的通道遇到小的權重），以及通道大 64 倍、權重卻維持原樣的。


# %%
def w8a8_error(x, weight, scales):
    """The relative error of x @ weight.T when x / scales (per tensor) and weight · scales (per row) have 8 bits."""
    rounded = fake_quantize((x / scales).reshape(1, -1), 8).reshape(x.shape)  # one row: one scale for all of it
    wanted = x @ weight.T
    return ((rounded @ fake_quantize(weight * scales, 8).T - wanted).norm() / wanted.norm()).item()


quiet = outputs_of(plain.model.layers[0].input_layernorm, plain, calibration)
attention = plain.model.layers[0].self_attn
stacked = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
louder = torch.where(torch.arange(quiet.shape[1]) < 2, 64 * quiet, quiet)
rows, unsmoothed = [], {}
for name, x, w in (("loud channels, small weights", activations, weight), ("loud channels alone", louder, stacked)):
    unsmoothed[name] = w8a8_error(x, w, torch.ones(x.shape[1]))
    for step in range(11):
        strength = smoothquant_scales(x.abs().amax(dim=0), w, alpha=step / 10)
        rows.append({"model": name, "alpha": step / 10, "error": w8a8_error(x, w, strength)})
    log_experiment("SmoothQuant strength", **min((r for r in rows if r["model"] == name), key=lambda r: r["error"]))
plot_strengths(rows, unsmoothed)

# %% [markdown] lang="en"
# Where loud channels meet small weights, every strength removes the outliers completely: multiplying activations by 64
# and dividing weights by 64 is exactly what SmoothQuant undoes. Where they are loud alone, it is a bargain, and the
# middle is best: at 0 nothing is moved, at 1 all of it has moved into the weights.

# %% [markdown] lang="zh-TW"
# 大聲的通道遇到小的權重時，任何強度都能完全消除離群值：激活值乘以 64、權重除以 64，正好就是 SmoothQuant 會還原的事。如果只有通
# 道大聲，那就是取捨，中間最好：強度 0 什麼都沒搬，強度 1 則全部搬進了權重。

# %% [markdown] lang="en"
# ### The whole model
#
# Now every norm of the model, and every linear layer in 8 bits: activations with one scale for the whole tensor,
# weights with one for each output channel. What is left after smoothing? In this architecture `down_proj` has no norm
# before it, so its outliers stay where they are. (The paper leaves them, too; rotations, task 4.10, reach them.)

# %% [markdown] lang="zh-TW"
# ### 整個模型
#
# 現在處理模型的每一個正規化層，並讓每個線性層都用 8 位元：激活值整個張量一個縮放係數，權重逐輸出通道。平滑之後還剩下什
# 麼？在這種架構裡，`down_proj` 前面沒有正規化層，它的離群值只能留在原處。（論文也沒動它們；任務 4.10 的旋轉才碰得到。）


# %%
def smoothed(model, batches, alpha=0.5):
    """A copy of a Llama model in which every norm and the layers that read it went through SmoothQuant."""
    made = copy.deepcopy(model)
    for layer in made.model.layers:
        for parent, key, names in (
            (layer.self_attn, "input_layernorm", ("q_proj", "k_proj", "v_proj")),
            (layer.mlp, "post_attention_layernorm", ("gate_proj", "up_proj")),
        ):
            linears = [getattr(parent, name) for name in names]
            peaks = outputs_of(getattr(layer, key), made, batches).abs().amax(dim=0)
            strength = smoothquant_scales(peaks, torch.cat([linear.weight for linear in linears]), alpha)
            smooth_norm, linears = apply_smoothquant(getattr(layer, key), linears, strength)
            getattr(layer, key).load_state_dict(smooth_norm.state_dict())
            for name, linear in zip(names, linears, strict=True):
                getattr(parent, name).load_state_dict(linear.state_dict())
    return made


def logits_in_8_bits(model, rows, skip=()):
    """The logits on `rows` with every linear layer in W8A8, but for those whose names end in `skip`."""
    made = copy.deepcopy(model)

    def in_8_bits(_, args):
        return (fake_quantize(args[0].reshape(1, -1), 8).reshape(args[0].shape),)  # one row: one scale for all of it

    with torch.no_grad():
        for name, module in made.named_modules():
            if isinstance(module, nn.Linear) and not name.endswith(skip):
                module.weight.copy_(fake_quantize(module.weight, 8))
                module.register_forward_pre_hook(in_8_bits)
        return made(**rows).logits


wanted = spiky(**evaluation[0]).logits
smooth = smoothed(spiky, calibration)
print(f"float32, smoothed: the logits moved by {(smooth(**evaluation[0]).logits - wanted).abs().max():.1e}")
for name, model, skip in (
    ("W8A8", spiky, ()),
    ("W8A8, smoothed", smooth, ()),
    ("W8A8, smoothed, down_proj in float32", smooth, ("down_proj",)),
):
    kl = float(compute_kl_div(wanted, logits_in_8_bits(model, evaluation[0], skip)))
    log_experiment("SmoothQuant", method=name, kl=kl)
    print(f"{name:38} KL {kl:.5f} nats")

# %% [markdown] lang="en"
# ## 7 · A real runtime
#
# Everything so far was arithmetic in PyTorch: right, but not fast, since the integers were multiplied as floats.
# For integer kernels the model has to go to a runtime that has them. *ONNX* is a file format for computation
# graphs; *ONNX Runtime* runs such files on CPUs, GPUs and phones.
#
# **QDQ.** A statically quantized ONNX file keeps ordinary operators and puts pairs around them: `QuantizeLinear`
# turns floats into integers by a stored scale and zero point, `DequantizeLinear` turns them back. That is the
# affine map of notebook 01, written into a graph. The runtime recognizes *dequantize, multiply, quantize* and
# runs one integer kernel instead; a runtime that doesn't still gets the right answer. TensorRT and OpenVINO read
# the same pairs.
#
# ## Task 4.7 · Export and quantize
#
# **`export_onnx(model, path, sample)`** writes the float model. `torch.onnx.export` runs the model once on a
# sample and records what happens. Four things to get right:
#
# - the *names* of the inputs are the keys of `sample` (`input_ids`, `attention_mask`), the first output is the
#   logits;
# - the *batch dimension is dynamic*: a recording knows only the sizes that it saw, so a batch of 8 becomes the
#   constant 8 unless you say otherwise. The file must also take a batch of 1 or 24;
# - the model is recorded in *eval mode*, or dropout goes into the file; and it is left as it was;
# - torch has two exporters. The newer one (`dynamo=True`, the default; sizes by `dynamic_shapes`, keyword inputs by
#   `kwargs`) takes around ten seconds for this model and writes the weights into a second file. The older one
#   (`dynamo=False`; sizes by `dynamic_axes`) takes half a second, is deprecated, and wants a module that takes
#   tensors by position and returns a tensor: `LogitsOnly` below wraps one. Either is fine here.
#
# **`quantize_onnx(path, out_path, batches)`** reads a float file, runs the calibration batches through it, and
# writes the quantized one. Here the ready-made tool is the task: `onnxruntime.quantization.quantize_static`, which
# asks a `CalibrationDataReader` for batches (given below). Its defaults fail on a transformer in two ways, and both
# are worth seeing:
#
# 1. **The mask.** By default every operator is quantized, also the addition of the attention mask, whose masked
#    places hold −3.4·10³⁸. Min-max calibration believes it: with 255 steps over that range, every attention score
#    becomes 0. Quantize what holds the weights and the work (`op_types_to_quantize`): `MatMul`, `Gemm`, and for the
#    embeddings `Gather`.
# 2. **Saturation.** Many CPUs multiply int8 with an instruction that takes *unsigned* activations and *signed*
#    weights and adds two products in **16 bits**: $255 \cdot 127 + 255 \cdot 127 = 64\,770$, but 16 bits end at
#    32 767. The sum doesn't wrap around; it sticks there, silently, and only on that machine. CPUs with *VNNI* or
#    *AMX* add in 32 bits and are right. So a file that was tested on your laptop may be wrong in the data centre, or
#    the other way round. Two ways out: weights of 7 bits ($255 \cdot 64 \cdot 2 = 32\,640$; `reduce_range=True`),
#    or unsigned weights (`QuantType.QUInt8`), which take another, exact instruction.
#
# What is judged is the file alone, in a process of its own: at least 3.3 times smaller than the float file (every
# file that you write counts), its answers close to the float model's on rows that you haven't seen, and no pair of
# stored weights that could ever leave 16 bits.

# %% [markdown] lang="zh-TW"
# ## 7 · 真正的執行環境
#
# 到目前為止，一切都是 PyTorch 裡的算術：正確，但不快，因為整數其實是當成浮點數在乘。要用整數運算核心，模型必須交給擁有這
# 種核心的執行環境。*ONNX* 是一種儲存計算圖的檔案格式；*ONNX Runtime* 能在 CPU、GPU 和手機上執行這種檔案。
#
# **QDQ。** 靜態量化的 ONNX 檔案保留原本的運算子，在它們周圍加上成對的節點：`QuantizeLinear` 用存好的縮放係數和零點把浮點
# 數變成整數，`DequantizeLinear` 再變回來。這就是第 01 份筆記本的仿射映射，只是寫進了圖裡。執行環境認得「反量化、相乘、量
# 化」這個樣式，會改用一個整數運算核心；不認得的執行環境，也還是得到正確的答案。TensorRT 和 OpenVINO 讀的也是這種成對節點。
#
# ## 任務 4.7 · 匯出與量化
#
# **`export_onnx(model, path, sample)`** 寫出浮點模型。`torch.onnx.export` 用一筆範例執行模型一次，把發生的事記錄下來。要做
# 對四件事：
#
# - 輸入的**名稱**就是 `sample` 的鍵（`input_ids`、`attention_mask`），第一個輸出是 logits；
# - **批次維度是動態的**：記錄只知道看過的大小，所以除非你另外說明，8 筆一批就會變成常數 8。這個檔案也必須能處理 1 筆或 24
#   筆一批；
# - 模型要在 **eval 模式**下記錄，否則 dropout 會跑進檔案裡；而且模型之後要保持原樣；
# - torch 有兩個匯出器。新的（`dynamo=True`，預設；用 `dynamic_shapes` 指定大小，用 `kwargs` 傳具名輸入）處理這個模型要十秒
#   左右，並把權重寫進第二個檔案。舊的（`dynamo=False`；用 `dynamic_axes` 指定大小）只要半秒，已被標為過時，而且要求模組依
#   位置接收張量、傳回一個張量：下面的 `LogitsOnly` 就是這樣的包裝。在這裡用哪個都可以。
#
# **`quantize_onnx(path, out_path, batches)`** 讀入浮點檔案，讓校準資料跑過一遍，再寫出量化後的檔案。這裡的任務就是使用現成
# 的工具：`onnxruntime.quantization.quantize_static`，它會向 `CalibrationDataReader` 一批一批要資料（下面已經寫好）。它的預設
# 值用在 transformer 上會以兩種方式失敗，兩種都值得一看：
#
# 1. **遮罩。** 預設會量化每一個運算子，連加上注意力遮罩的加法也不例外，而被遮住的位置存的是 −3.4·10³⁸。Min-max 校準會信以
#    為真：255 級攤在這麼大的範圍上，每個注意力分數都變成 0。只量化裝著權重、負擔主要計算的運算子
#    （`op_types_to_quantize`）：`MatMul`、`Gemm`，嵌入層則是 `Gather`。
# 2. **飽和。** 許多 CPU 做 int8 乘法的指令，是拿**無號**的激活值乘上**有號**的權重，再把兩個乘積在 **16 位元**裡相加：
#    $255 \cdot 127 + 255 \cdot 127 = 64\,770$，但 16 位元只到 32 767。和不會繞回去，而是卡在那裡，毫無聲息，而且只發生在那
#    種機器上。有 *VNNI* 或 *AMX* 的 CPU 用 32 位元相加，結果正確。所以在你的筆電上測過的檔案，到了資料中心可能是錯的，反之亦
#    然。有兩條出路：7 位元的權重（$255 \cdot 64 \cdot 2 = 32\,640$；`reduce_range=True`），或是無號的權重
#    （`QuantType.QUInt8`），它用的是另一種精確的指令。
#
# 評分時只看檔案，在另一個行程裡執行：至少比浮點檔案小 3.3 倍（你寫出的每個檔案都算），在你沒看過的資料上，答案要和浮點模型
# 接近，而且存下的權重中，沒有任何一對可能超出 16 位元。


# %%
class LogitsOnly(nn.Module):
    """A transformers model as the older exporter wants it: tensors by position, one tensor back (given)."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors):
        return self.model(**dict(zip(self.names, tensors, strict=True))).logits


def calibration_reader(batches):
    """The batches as ONNX Runtime asks for them: one at a time, as NumPy arrays by name, None at the end (given)."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(batches)

        def get_next(self):
            batch = next(self.left, None)
            return None if batch is None else {name: tensor.numpy() for name, tensor in batch.items()}

    return Reader()


### BEGIN SOLUTION
def _store_once(path):
    """Take the transposed copies out of a float file: a head that is tied to its embedding is stored as one."""
    import onnx

    file = onnx.load(path)
    matrices = {t.name: onnx.numpy_helper.to_array(t) for t in file.graph.initializer if len(t.dims) == 2}
    looked_up = {node.input[0] for node in file.graph.node if node.op_type == "Gather"}
    tables = {matrices[name].T.tobytes(): name for name in looked_up & matrices.keys()}
    for stored in [tensor for tensor in file.graph.initializer if tensor.name in matrices.keys() - looked_up]:
        table = tables.get(matrices[stored.name].tobytes())
        if table and matrices[table].T.shape == matrices[stored.name].shape:
            file.graph.initializer.remove(stored)
            turned = onnx.helper.make_node("Transpose", [table], [stored.name], f"{stored.name}_tied", perm=[1, 0])
            file.graph.node.insert(0, turned)
    onnx.save(file, path)


### END SOLUTION
def export_onnx(model, path, sample):
    """Write `model` as an ONNX file whose first dimension, the batch, may have any size.

    model   a transformers model; it stays as it was
    path    str, where the file goes
    sample  a batch, as the model is called with it: its keys become the names of the inputs
    """
    ### BEGIN SOLUTION
    names = list(sample)
    wrapped = LogitsOnly(copy.deepcopy(model), names).eval()  # the exporter changes modes: work on a copy
    torch.onnx.export(
        wrapped,
        tuple(sample.values()),
        path,
        dynamo=False,
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch"} for name in (*names, "logits")},
        opset_version=17,
    )
    _store_once(path)
    ### END SOLUTION


def quantize_onnx(path, out_path, batches):
    """Quantize a float ONNX file statically to 8 bits, in QDQ format.

    path      str, a float ONNX file
    out_path  str, where the quantized one goes
    batches   calibration data: dicts of tensors, named as the file's inputs are
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    ### BEGIN SOLUTION
    quantize_static(
        path,
        out_path,
        calibration_reader(batches),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],  # not Add or Where: the mask would stretch their range
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        reduce_range=True,  # 7-bit weights: two products fit into 16 bits on every CPU
    )
    ### END SOLUTION


# %%
check("4.7")

# %% [markdown] lang="en"
# ### Saturation, by hand
#
# The instruction `vpmaddubsw`, imitated: neighbouring products are added and stop at ±32 767. An activation
# at full scale meets weights of 8 and of 7 bits.

# %% [markdown] lang="zh-TW"
# ### 手算飽和
#
# 模仿 `vpmaddubsw` 這個指令：相鄰的乘積相加，停在 ±32 767。滿刻度的激活值，分別遇上 8 位元和 7 位元的權重。


# %%
def as_without_vnni(x, w):
    """Σ x·w as a CPU without VNNI computes it: pairs of products in 16 bits, which saturate. x uint8, w int8 [n]."""
    products = (x.int() * w.int()).reshape(-1, 2)
    return products.sum(dim=1).clamp(-32768, 32767).sum().item()


x = torch.tensor([255, 250, 12, 200], dtype=torch.uint8)
for bits, codes in ((8, [127, 120, -30, 101]), (7, [64, 60, -15, 51])):
    w = torch.tensor(codes, dtype=torch.int8)
    exact = int((x.int() * w.int()).sum())
    print(f"{bits}-bit weights: exact {exact:6}, without VNNI {as_without_vnni(x, w):6}")

# %% [markdown] lang="en"
# ### Small, right, fast?
#
# Four files of the same classifier: float, yours, `quantize_static` with its own defaults, and your exporter's
# file quantized dynamically. Sizes are counted, agreement and KL are against PyTorch's float model, and the time is
# the best of several runs on *this* machine, with one thread. Every row goes into the experiment log.

# %% [markdown] lang="zh-TW"
# ### 小、對、快？
#
# 同一個分類器的四個檔案：浮點、你的、`quantize_static` 用它自己的預設值，以及把你匯出的檔案做動態量化。大小是實際數出來的；
# 一致率和 KL 是跟 PyTorch 的浮點模型比；時間是在**這台**機器上用一個執行緒跑幾次，取最好的一次。每一列都會寫進實驗紀錄。

# %%
import tempfile

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

classifier = load_model("tiny-bert")
passages = take_batches(load_batches("tiny-bert", "calibration"), count=4, size=8)
judged = take_batches(load_batches("tiny-bert", "evaluation"), count=4, size=32)
folder = tempfile.mkdtemp(prefix="onnx-")
files = {name: os.path.join(folder, f"{name}.onnx") for name in ("float", "yours", "defaults", "dynamic")}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the exporter recommends its successor, and ranges of infinity divide badly
    export_onnx(classifier, files["float"], passages[0])
    quantize_onnx(files["float"], files["yours"], passages)
    quantize_static(files["float"], files["defaults"], calibration_reader(passages))
    quantize_dynamic(files["float"], files["dynamic"], weight_type=QuantType.QInt8, reduce_range=True)


def open_session(path):
    """An ONNX Runtime session on the CPU with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_session(session, batch):
    """The logits of a batch, as a tensor."""
    return torch.from_numpy(session.run(None, {name: value.numpy() for name, value in batch.items()})[0])


torch.set_num_threads(1)
with torch.no_grad():
    float_logits = torch.cat([classifier(**batch).logits for batch in judged])
float_size = os.path.getsize(files["float"])
print(f"{'file':10} {'MB':>6} {'smaller':>8} {'KL (nats)':>10} {'agree':>7} {'ms, batch 1':>12} {'ms, batch 32':>13}")
for name, path in files.items():
    session = open_session(path)
    logits = torch.cat([run_session(session, batch) for batch in judged])
    single = {key: value[:1] for key, value in judged[0].items()}
    times = [
        min(timeit.repeat(lambda batch=batch, s=session: run_session(s, batch), number=2, repeat=5)) / 2 * 1000
        for batch in (single, judged[0])
    ]
    row = {
        "megabytes": os.path.getsize(path) / 1e6,
        "smaller": float_size / os.path.getsize(path),
        "kl": float(compute_kl_div(float_logits, logits)),
        "agreement": (logits.argmax(dim=-1) == float_logits.argmax(dim=-1)).float().mean().item(),
    }
    log_experiment("ONNX Runtime", file=name, ms_batch_1=times[0], ms_batch_32=times[1], **row)
    print(
        f"{name:10} {row['megabytes']:6.2f} {row['smaller']:7.2f}x {row['kl']:10.2g} {row['agreement']:7.1%}"
        f" {times[0]:12.2f} {times[1]:13.1f}"
    )

# %% [markdown] lang="en"
# ### What was promised, and what hardware gives
#
# The handout promises models that run 2.5 and 2.2 times as fast. A speed is a property of a *machine*, so it says
# little without one:
#
# | what | machine | speed-up |
# |---|---|---|
# | the handout | not named | 2.5× and 2.2× |
# | Intel, BERT-base on SST-2, 99.6 % of the accuracy kept | Xeon 8480+, which has AMX | 2.26× |
# | ONNX Runtime's notebook, BERT-base on MRPC | not named | 2.2× |
# | measured for this course, BERT-base, 128 tokens, static | two cores with AVX2, no VNNI | 1.6–1.8× |
# | measured for this course, GPT-2, 128 tokens, dynamic | two cores with AVX2, no VNNI | 1.75–1.9× |
# | measured for this course, the same with unsigned weights | two cores with AVX2, no VNNI | 1.3–1.5× |
#
# - **AVX2** multiplies 32 pairs of bytes at a time, but needs three instructions to add them up, the first of which
#   is the one that saturates. An int8 matrix product is 1.9 to 2.3 times as fast as float32.
# - **VNNI** does the three steps in one and adds in 32 bits: no saturation, and in theory four times the float32 rate.
# - **AMX** multiplies whole tiles with one instruction; a model must be large to keep it busy.
#
# And a model is not only matrix products: LayerNorm, softmax and GELU stay in float32, and every pair of
# `QuantizeLinear` and `DequantizeLinear` costs a pass over memory. On a model as small as this one they weigh more
# than on BERT-base, so your row above may show little, and at batch 1 even a loss. The size is certain; the speed
# must be measured. `ptqlab doctor` in a terminal tells what your machine has; in short:

# %% [markdown] lang="zh-TW"
# ### 承諾的，和硬體給的
#
# 講義承諾模型會變快 2.5 倍和 2.2 倍。速度是**機器**的性質，不說機器就沒有多大意義：
#
# | 項目 | 機器 | 加速 |
# |---|---|---|
# | 講義 | 未說明 | 2.5× 和 2.2× |
# | Intel，BERT-base 跑 SST-2，保住 99.6 % 的準確率 | Xeon 8480+，有 AMX | 2.26× |
# | ONNX Runtime 的筆記本，BERT-base 跑 MRPC | 未說明 | 2.2× |
# | 本課程實測，BERT-base，128 個 token，靜態 | 兩個核心，AVX2，沒有 VNNI | 1.6–1.8× |
# | 本課程實測，GPT-2，128 個 token，動態 | 兩個核心，AVX2，沒有 VNNI | 1.75–1.9× |
# | 本課程實測，同上，用無號權重 | 兩個核心，AVX2，沒有 VNNI | 1.3–1.5× |
#
# - **AVX2** 一次能乘 32 對位元組，但要三個指令才能加總，其中第一個就是會飽和的那個。int8 矩陣乘法是 float32 的 1.9 到 2.3
#   倍快。
# - **VNNI** 把三步併成一步，並用 32 位元相加：不會飽和，理論上的速度是 float32 的 4 倍。
# - **AMX** 用一個指令就乘整塊矩陣；模型要夠大才餵得飽它。
#
# 而且模型不是只有矩陣乘法：LayerNorm、softmax、GELU 仍用 float32，每一對 `QuantizeLinear` 和 `DequantizeLinear` 都要多掃過
# 記憶體一遍。像這麼小的模型，它們佔的比重比 BERT-base 大得多，所以上面你那一列可能看不出快多少，批次為 1 時甚至可能變慢。大
# 小是確定的；速度一定要量。在終端機執行 `ptqlab doctor`，就知道你的機器有什麼；簡單來說：

# %%
print("vector instructions of this CPU:", torch.backends.cpu.get_cpu_capability())

# %% [markdown] lang="en"
# ### Optional: Intel Neural Compressor
#
# The handout's tool for Intel machines. If it is installed (`pip install 'neural-compressor[pt]' accelerate`), the
# cell runs its post-training quantization on the classifier; if not, it says so and goes on. Since version 3 it works
# on PyTorch models and has no ONNX part any more; without `[pt]` it is installed, but can't be imported, and
# `accelerate` is needed without being asked for.

# %% [markdown] lang="zh-TW"
# ### 選讀：Intel Neural Compressor
#
# 講義裡給 Intel 機器用的工具。如果裝了（`pip install 'neural-compressor[pt]' accelerate`），這個儲存格會用它量化分類
# 器；沒裝就說一聲，繼續往下。從第 3 版起，它處理的是 PyTorch 模型，不再有 ONNX 的部分；少了 `[pt]`，裝得起來卻匯入不了，
# 而 `accelerate` 是它用得到、卻沒有列在相依套件裡的。

# %%
import importlib.util

if importlib.util.find_spec("neural_compressor") is None:
    print("Intel Neural Compressor is not installed: nothing to see here, and nothing is missing.")
else:
    try:
        from neural_compressor.torch.quantization import RTNConfig, convert, prepare

        compressed = convert(prepare(copy.deepcopy(classifier), RTNConfig(bits=8)))
        with torch.no_grad():
            logits = torch.cat([compressed(**batch).logits for batch in judged])
        print(f"Neural Compressor, 8-bit weights: KL {float(compute_kl_div(float_logits, logits)):.2g} nats")
    except ImportError as error:
        print(f"Intel Neural Compressor is installed, but can't be imported ({error}).")
        print("Run pip install 'neural-compressor[pt]' accelerate, restart the kernel, and try again.")
    except Exception as error:  # an optional tool of another maker: whatever it says, the notebook goes on
        print(f"Intel Neural Compressor is installed, but failed: {type(error).__name__}: {error}")

# %% [markdown] lang="en"
# ## 8 · Bonus: four bits
#
# Three ideas, ten points, each the heart of a method that people use for large language models. All start from a
# weight, the layer's inputs on calibration data, and the same question: rounding to the nearest level is the best
# one can do for each *weight*, but is it the best for the layer's *output*?
#
# One helper, given: a group is a row of its own, so your `fake_quantize` can round groups, too.

# %% [markdown] lang="zh-TW"
# ## 8 · 加分題：四個位元
#
# 三個想法，十分，每一個都是大型語言模型常用方法的核心。出發點都一樣：一個權重、這一層在校準資料上的輸入，還有同一個問題：
# 捨入到最近的一級，對每個**權重**來說是最好的；對這一層的**輸出**來說，也是最好的嗎？
#
# 一個現成的輔助函式：把每一組當成獨立的一列，你的 `fake_quantize` 就也能用在分組上。


# %%
def round_in_groups(weight, bits, group_size):
    """Quantize a weight [out, in] in groups of `group_size` and restore it: rounding to nearest."""
    return fake_quantize(weight.reshape(-1, group_size), bits).reshape(weight.shape)


# %% [markdown] lang="en"
# ## Task 4.8 (bonus) · GPTQ
#
# Inputs are not independent: when channel 3 is large, channel 7 often is, too. So an error in the weight of
# channel 3 can be *made up for* by moving the weight of channel 7, as long as that one isn't rounded yet.
#
# The damage to a row is $\lVert X\,\delta \rVert^2 = \delta^\top H \delta$ with $H = X^\top X$. GPTQ goes through the
# columns from left to right. It rounds column $j$ to its nearest level, and divides the error by a number that
# says how well the columns to its right can stand in for it:
#
# $$e = \frac{w_j - \hat w_j}{U_{jj}} \qquad w_{j'} \leftarrow w_{j'} - e\,U_{jj'} \quad (j' > j)$$
#
# $U$ is the *upper* triangular Cholesky factor of $H^{-1}$, that is $U^\top U = H^{-1}$: its row $j$ is what the
# inverse looks like once all columns before $j$ are fixed. (`torch.linalg.cholesky(…, upper=True)`;
# `torch.cholesky_inverse` inverts by a factor.)
#
# By hand: one row $w = [0.5, 1.2]$, levels at whole numbers, $X^\top X = \begin{pmatrix}1 & 0.9\\0.9 &
# 1\end{pmatrix}$. Its inverse is $\begin{pmatrix}5.26 & -4.74\\-4.74 & 5.26\end{pmatrix}$ and
# $U = \begin{pmatrix}2.29 & -2.06\\0 & 1\end{pmatrix}$. Column 0: 0.5 becomes 0 (half to even), $e = 0.5 / 2.29 =
# 0.218$, and column 1 moves from 1.2 to $1.2 + 0.218 \cdot 2.06 = 1.65$: it takes over what column 0 lost,
# and becomes 2. Rounding alone gives $[0, 1]$ and a damage of 0.47; $[0, 2]$, which is farther away, one of 0.17.
#
# Three practical matters. *Scales*: those of a group are found when its first column is reached, in the weight as it
# is then. *Damping*: add 1 % of the mean diagonal to the diagonal of $H$, or it can't be inverted when inputs are
# few. *Silent channels*, always 0, have a zero on the diagonal even so: put a 1 there. Work in float64 if you like; a
# loop over columns is fine. The result is that of task 1.6, `q` in `int8` `[out, in]` and `scale` in float32
# `[out, in / group_size]`; on correlated inputs the output error must be at most 0.95 times that of rounding.

# %% [markdown] lang="zh-TW"
# ## 任務 4.8（加分）· GPTQ
#
# 輸入並不互相獨立：通道 3 大的時候，通道 7 往往也大。所以通道 3 的權重出了誤差，可以靠移動通道 7 的權重來**彌補**，只要後者還
# 沒捨入。
#
# 一列的損害是 $\lVert X\,\delta \rVert^2 = \delta^\top H \delta$，其中 $H = X^\top X$。GPTQ 從左到右逐行（column）處理：把第
# $j$ 行捨入到最近的一級，再把誤差除以一個數，這個數表示右邊的各行能替它補多少：
#
# $$e = \frac{w_j - \hat w_j}{U_{jj}} \qquad w_{j'} \leftarrow w_{j'} - e\,U_{jj'} \quad (j' > j)$$
#
# $U$ 是 $H^{-1}$ 的**上**三角 Cholesky 因子，也就是 $U^\top U = H^{-1}$：它的第 $j$ 列，就是 $j$ 之前各行都固定之後，反矩陣的
# 樣子。（用 `torch.linalg.cholesky(…, upper=True)`；`torch.cholesky_inverse` 能從因子求反矩陣。）
#
# 手算一次：一列 $w = [0.5, 1.2]$，級數是整數，$X^\top X = \begin{pmatrix}1 & 0.9\\0.9 & 1\end{pmatrix}$。它的反矩陣是
# $\begin{pmatrix}5.26 & -4.74\\-4.74 & 5.26\end{pmatrix}$，$U = \begin{pmatrix}2.29 & -2.06\\0 & 1\end{pmatrix}$。第 0
# 行：0.5 變成 0（四捨六入五成雙），$e = 0.5 / 2.29 = 0.218$，第 1 行從 1.2 移到 $1.2 + 0.218 \cdot 2.06 = 1.65$：它接手第 0 行
# 失去的部分，捨入成 2。單純捨入得到 $[0, 1]$，損害是 0.47；$[0, 2]$ 離原來的權重更遠，損害卻只有 0.17。
#
# 三件實務上的事。**縮放係數**：走到一組的第一行時，才用當時的權重決定這一組的縮放係數。**阻尼**：在 $H$ 的對角線加上對角線平
# 均值的 1 %，否則輸入太少時無法求反矩陣。**沉默的通道**永遠是 0，對角線上是零：在那裡放 1。想用 float64 也可以；對各行跑迴圈
# 沒有問題。結果的形式和任務 1.6 一樣：`q` 是 `int8` `[out, in]`，`scale` 是 float32 `[out, in / group_size]`；在互相關聯的輸入
# 上，輸出誤差最多是單純捨入的 0.95 倍。


# %%
### BEGIN SOLUTION
def _inverse_factor(inputs):
    """The upper Cholesky factor [in, in] of the inverse of the damped XᵀX; inputs float64 [rows, in]."""
    curvature = inputs.T @ inputs
    diagonal = curvature.diagonal()
    diagonal += torch.where(diagonal == 0, 1.0, 0.01 * diagonal.mean())
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(curvature)), upper=True)


### END SOLUTION
def gptq_quantize(weight, inputs, bits=4, group_size=128):
    """Quantize column by column, and let the columns that are left make up for each error.

    weight   [out, in], `in` a multiple of group_size
    inputs   [rows, in], what the layer was given on calibration data
    returns  (q, scale): q int8 [out, in]; scale float32 [out, in / group_size]
    """
    ### BEGIN SOLUTION
    left, top = weight.detach().double().clone(), 2 ** (bits - 1) - 1
    factor = _inverse_factor(inputs.detach().double())
    q, scales = torch.empty(left.shape, dtype=torch.int8, device=left.device), []
    for column in range(left.shape[1]):
        if column % group_size == 0:
            amax = left[:, column : column + group_size].abs().amax(dim=1)
            scales.append(torch.where(amax == 0, 1.0, amax / top).float())
        levels = (left[:, column] / scales[-1]).round().clamp(-top - 1, top)
        q[:, column] = levels.to(torch.int8)
        error = (left[:, column] - levels * scales[-1]) / factor[column, column]
        left[:, column + 1 :] -= error.unsqueeze(1) * factor[column, column + 1 :]
    return q, torch.stack(scales, dim=1)
    ### END SOLUTION


# %%
check("4.8")

# %% [markdown] lang="en"
# ## Task 4.9 (bonus) · AWQ
#
# SmoothQuant moved difficulty from activations to weights. *Activation-aware weight quantization* uses the same
# identity the other way: here only the weights are quantized, and a channel that meets large activations matters
# more. Multiply its weights by $s > 1$, quantize, and divide the inputs by $s$. The group's step hardly grows
# (its largest weight is elsewhere), so the error of this channel, seen from the output, shrinks by $s$.
#
# How large should $s$ be? Too large, and the protected weights become the largest of their groups and everyone else
# pays. There is no formula; AWQ *searches*. With $a_j$ the mean of $|x_j|$:
#
# $$s_j = a_j^{\,\beta}, \quad \beta \in \{0, 0.05, \dots, 1\}, \qquad \min_{\beta}
# \left\lVert \tfrac{X}{s}\, Q(W \operatorname{diag} s)^\top - X W^\top \right\rVert$$
#
# By hand, one group at 3 bits (levels −3…3), $w = [0.2, 1.5]$, and channel 0 is ten times louder. The step is 0.5,
# so 0.2 becomes 0: a loss of 0.2, ten times over. With $s = [5, 1]$ the group is $[1.0, 1.5]$, the step is still
# 0.5, and nothing is lost at all.
#
# `awq_search(weight, inputs, bits=4, group_size=128)` returns the scales, `[in]`, finite and positive (mind channels
# that are always 0). $\beta = 0$, all ones, is among the candidates, so it is never worse than rounding; with outlier
# channels the error must fall to 0.7 times.

# %% [markdown] lang="zh-TW"
# ## 任務 4.9（加分）· AWQ
#
# SmoothQuant 把困難從激活值搬到權重。**激活值感知的權重量化**（activation-aware weight quantization）反過來用同一個恆等式：這
# 裡只量化權重，而遇到大激活值的通道比較重要。把它的權重乘以 $s > 1$，量化，再把輸入除以 $s$。這一組的級距幾乎不變（最大的權重
# 在別的通道），所以從輸出來看，這個通道的誤差縮小了 $s$ 倍。
#
# $s$ 該多大？太大的話，受保護的權重就成了組裡最大的，換成其他人付代價。這沒有公式，AWQ 用**搜尋**的。令 $a_j$ 是 $|x_j|$ 的平
# 均：
#
# $$s_j = a_j^{\,\beta}, \quad \beta \in \{0, 0.05, \dots, 1\}, \qquad \min_{\beta}
# \left\lVert \tfrac{X}{s}\, Q(W \operatorname{diag} s)^\top - X W^\top \right\rVert$$
#
# 手算一次，一組，3 位元（級數 −3…3），$w = [0.2, 1.5]$，通道 0 的輸入大十倍。級距是 0.5，所以 0.2 變成 0：損失 0.2，還要放大十
# 倍。取 $s = [5, 1]$，這一組變成 $[1.0, 1.5]$，級距仍是 0.5，什麼都沒損失。
#
# `awq_search(weight, inputs, bits=4, group_size=128)` 傳回縮放係數 `[in]`，必須是有限的正數（注意永遠為 0 的通道）。候選之中有
# $\beta = 0$，也就是全為 1，所以絕不會比單純捨入更差；有離群通道時，誤差必須降到 0.7 倍以下。


# %%
def awq_search(weight, inputs, bits=4, group_size=128):
    """The scale of each input channel with which weight · scale, rounded in groups, does the least damage.

    weight   [out, in], `in` a multiple of group_size
    inputs   [rows, in], what the layer was given on calibration data
    returns  scales, float32 [in], finite and positive
    """
    ### BEGIN SOLUTION
    weight, inputs = weight.detach().float(), inputs.detach().float()
    wanted, loudness = inputs @ weight.T, inputs.abs().mean(dim=0)
    loudness = loudness.where(loudness > 0, 1.0)
    best, least = None, float("inf")
    for step in range(21):
        scales = loudness ** (step / 20)  # the first are all 1: never worse than without
        rounded = round_in_groups(weight * scales, bits, group_size)
        error = ((inputs / scales) @ rounded.T - wanted).square().mean().item()
        if error < least:
            best, least = scales, error
    return best
    ### END SOLUTION


# %%
check("4.9")

# %% [markdown] lang="en"
# ## Task 4.10 (bonus) · A Hadamard rotation
#
# Scaling moves an outlier; a *rotation* makes it disappear. For any orthogonal matrix $R$ (its rows have length 1 and
# are at right angles, so $R R^\top = I$)
#
# $$X W^\top = (X R)\,(W R)^\top$$
#
# and a rotation that mixes every channel into every other spreads a loud channel over all of them: a peak of 20 among
# 256 channels becomes $20/\sqrt{256} = 1.25$ everywhere. The matrix that mixes best and costs least has only entries
# $\pm 1/\sqrt{n}$ and is built by doubling:
#
# $$H_1 = (1), \qquad H_{2n} = \begin{pmatrix} H_n & H_n \\ H_n & -H_n \end{pmatrix}, \qquad R = H_n / \sqrt{n}$$
#
# so its size is a power of two; other widths are a `ValueError`. By hand, for $n = 2$: $x = [20, 1]$ becomes
# $[21, 19]/\sqrt{2} = [14.8, 13.4]$. The length is the same, $\sqrt{401}$, but with 4 bits the 1 would have been lost
# beside the 20; now both values use the levels.
#
# `hadamard_rotate(weight, inputs) -> (weight, inputs)` rotates both. The output stays the same in float32, and with
# weights *and* activations at 4 bits the error falls to 0.6 times and less when a few channels are 5 to 20 times
# louder. (QuaRot and SpinQuant rotate whole models this way; most of the rotations vanish into the weights.)

# %% [markdown] lang="zh-TW"
# ## 任務 4.10（加分）· Hadamard 旋轉
#
# 縮放能搬走離群值；**旋轉**則讓它消失。對任何正交矩陣 $R$（每一列長度為 1，彼此垂直，所以 $R R^\top = I$），
#
# $$X W^\top = (X R)\,(W R)^\top$$
#
# 如果旋轉把每個通道都混進其他所有通道，大聲的通道就會被攤平：256 個通道中一個 20 的尖峰，變成每個通道都是
# $20/\sqrt{256} = 1.25$。混得最均勻、代價又最小的矩陣，元素只有 $\pm 1/\sqrt{n}$，靠加倍來建構：
#
# $$H_1 = (1), \qquad H_{2n} = \begin{pmatrix} H_n & H_n \\ H_n & -H_n \end{pmatrix}, \qquad R = H_n / \sqrt{n}$$
#
# 所以它的大小是 2 的次方；其他寬度是 `ValueError`。手算一次，$n = 2$：$x = [20, 1]$ 變成
# $[21, 19]/\sqrt{2} = [14.8, 13.4]$。長度一樣，都是 $\sqrt{401}$；但用 4 位元時，1 在 20 旁邊會整個不見，現在兩個值都用得到級
# 數。
#
# `hadamard_rotate(weight, inputs) -> (weight, inputs)` 同時旋轉兩者。float32 的輸出不變；當少數通道大 5 到 20 倍時，權重**和**
# 激活值都用 4 位元，誤差會降到 0.6 倍以下。（QuaRot 和 SpinQuant 就是這樣旋轉整個模型；大部分的旋轉可以併進權重裡。）


# %%
def hadamard_rotate(weight, inputs):
    """Rotate weight and inputs by the same Hadamard matrix: the layer's output stays, outliers are spread.

    weight   [out, in], `in` a power of two
    inputs   [rows, in]
    returns  (weight, inputs), rotated, float32, same shapes
    raises   ValueError: `in` is no power of two
    """
    ### BEGIN SOLUTION
    width = weight.shape[1]
    if width < 1 or width & (width - 1):
        raise ValueError(f"a Hadamard matrix of this kind needs a power of two; the input width is {width}")
    rotation = torch.ones(1, 1, device=weight.device)
    while len(rotation) < width:
        above, below = torch.cat((rotation, rotation), dim=1), torch.cat((rotation, -rotation), dim=1)
        rotation = torch.cat((above, below), dim=0)
    rotation /= width**0.5  # rows of length 1; the matrix is its own transpose
    return weight.detach().float() @ rotation, inputs.detach().float() @ rotation
    ### END SOLUTION


# %%
check("4.10")

# %% [markdown] lang="en"
# ### The methods side by side
#
# A real layer: `gate_proj` of the second block, of the model with outliers, with its inputs on calibration data to
# work with and its inputs on evaluation data to be judged by. First weights only, in groups of 128; then weights and
# activations at 4 bits (one scale for each output channel and each token), where rotation is at home.

# %% [markdown] lang="zh-TW"
# ### 各種方法並排
#
# 一個真實的層：有離群值的模型，第二個區塊的 `gate_proj`；用它在校準資料上的輸入來處理，用它在評估資料上的輸入來評斷。先只量化
# 權重，128 個一組；再讓權重和激活值都用 4 位元（每個輸出通道、每個 token 各一個縮放係數），這正是旋轉的主場。

# %%
layer, before = spiky.model.layers[1].mlp.gate_proj, spiky.model.layers[1].post_attention_layernorm
shown, unseen = outputs_of(before, spiky, calibration), outputs_of(before, spiky, evaluation[:1])
wanted, group_size, rows = unseen @ layer.weight.T, 128, []


def relative_error(outputs):
    """How far outputs [rows, out] lie from what the layer gives in float32."""
    return ((outputs - wanted).norm() / wanted.norm()).item()


for bits in (4, 3):
    q, scale = gptq_quantize(layer.weight, shown, bits, group_size)
    protected = awq_search(layer.weight, shown, bits, group_size)
    restored = {
        "round to nearest": round_in_groups(layer.weight, bits, group_size),
        "GPTQ": q * scale.repeat_interleave(group_size, dim=1),
        "AWQ": round_in_groups(layer.weight * protected, bits, group_size) / protected,
    }
    rows += [{"method": name, "bits": bits, "error": relative_error(unseen @ w.T)} for name, w in restored.items()]
for row in rows:
    log_experiment("weights only", **row)
plot_methods(rows, title="weights only, groups of 128")


# %%
def at_4_bits(weight, inputs):
    """inputs @ weight.T with one scale for each output channel and each token, 4 bits."""
    return fake_quantize(inputs, 4) @ fake_quantize(weight, 4).T


turned = hadamard_rotate(layer.weight, unseen)
smoothing = smoothquant_scales(shown.abs().amax(dim=0), layer.weight)
for name, pair in (
    ("as it is", (layer.weight, unseen)),
    ("SmoothQuant", (layer.weight * smoothing, unseen / smoothing)),
    ("Hadamard", turned),
):
    error = relative_error(at_4_bits(*pair))
    log_experiment("W4A4", method=name, error=error)
    print(f"W4A4 {name:12} relative error {error:.3f}")
plot_channel_peaks({"inputs": unseen.abs().amax(dim=0), "inputs, rotated": turned[1].abs().amax(dim=0)})

# %% [markdown] lang="en"
# ## 9 · Before you go on
#
# Not graded:
#
# 1. Run `quantize_onnx` with calibration batches of padding only (`attention_mask` all 0 but for one token). What
#    happens to KL? This is the handout's "unrepresentative calibration data" in a runtime's clothes.
# 2. AWQ and GPTQ don't exclude each other: quantize `W · diag(s)` with GPTQ. Does it add up?
# 3. Outliers 64 times as large are too much for the rotation alone (the contract of task 4.10 says 5 to 20 times).
#    Why? Think of what one channel of 1000 does to all 256 after the rotation, and to the *differences* between them.
#
# **Reading**
#
# - G. Xiao et al., *SmoothQuant*, ICML 2023, [arXiv:2211.10438](https://arxiv.org/abs/2211.10438).
# - E. Frantar et al., *GPTQ*, ICLR 2023, [arXiv:2210.17323](https://arxiv.org/abs/2210.17323).
# - J. Lin et al., *AWQ*, MLSys 2024, [arXiv:2306.00978](https://arxiv.org/abs/2306.00978).
# - S. Ashkboos et al., *QuaRot*, NeurIPS 2024, [arXiv:2404.00456](https://arxiv.org/abs/2404.00456).
# - ONNX Runtime, [*Quantize ONNX models*](https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html):
#   the section on data types explains U8S8, `reduce_range` and VNNI.
#
# **Next:** notebook 05 packs four-bit weights of a language model into files, without ever holding it in memory.

# %% [markdown] lang="zh-TW"
# ## 9 · 繼續之前
#
# 不計分：
#
# 1. 用只有補零（padding）的校準資料執行 `quantize_onnx`（`attention_mask` 除了一個 token 全為 0）。KL 會怎樣？這就是講義說的
#    「校準資料沒有代表性」，只是換成在執行環境裡發生。
# 2. AWQ 和 GPTQ 並不互斥：用 GPTQ 量化 `W · diag(s)`。效果會相加嗎？
# 3. 大 64 倍的離群值，光靠旋轉是不夠的（任務 4.10 約定的是 5 到 20 倍）。為什麼？想想看：旋轉之後，一個 1000 的通道會對全部
#    256 個通道做什麼？對它們之間的**差異**又做了什麼？
#
# **延伸閱讀**
#
# - G. Xiao 等人，*SmoothQuant*，ICML 2023，[arXiv:2211.10438](https://arxiv.org/abs/2211.10438)。
# - E. Frantar 等人，*GPTQ*，ICLR 2023，[arXiv:2210.17323](https://arxiv.org/abs/2210.17323)。
# - J. Lin 等人，*AWQ*，MLSys 2024，[arXiv:2306.00978](https://arxiv.org/abs/2306.00978)。
# - S. Ashkboos 等人，*QuaRot*，NeurIPS 2024，[arXiv:2404.00456](https://arxiv.org/abs/2404.00456)。
# - ONNX Runtime，[*Quantize ONNX models*](https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html)：資料型別
#   那一節說明了 U8S8、`reduce_range` 和 VNNI。
#
# **下一步：** 第 05 份筆記本把語言模型的四位元權重打包進檔案，過程中從不把整個模型放進記憶體。
