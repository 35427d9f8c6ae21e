# %% [markdown] lang="en"
# # Lab 01 · Setup and basic quantization
#
# *Lab 3.1 Post-Training Quantization, notebook 1 of 5 · 25 points · 60–90 minutes*
#
# A trained network stores its weights as 32-bit floating-point numbers. In this notebook you write, from
# nothing but `torch.round` and `clamp`, the functions that store them as 8-bit and 4-bit **integers** and
# bring them back. At the end you measure what that costs on a trained layer.
#
# You will be able to
#
# - turn real numbers into integers with a *scale* and a *zero point*, and back again;
# - choose between symmetric and asymmetric, per-tensor, per-channel and group quantization, and say why;
# - pack two 4-bit values into a byte;
# - measure the damage: SQNR, cosine similarity, KL divergence.
#
# **How to work.** Each task has a cell with `# Your code here.` Replace that line and the `raise` below it,
# run the cell, then run the `check` cell below it. `check` runs the public tests and explains what is
# wrong. Hidden tests of the same kind join when the notebook is graded. Only your functions count; what
# your cells print doesn't.

# %% [markdown] lang="zh-TW"
# # Lab 01 · 環境設定與基礎量化
#
# Lab 3.1 訓練後量化實戰，第 1 份筆記本（共 5 份）· 25 分 · 60–90 分鐘
#
# 訓練好的網路用 32 位元浮點數儲存權重。在這份筆記本裡，你只用 `torch.round` 和 `clamp`，親手寫出把權重存成
# 8 位元、4 位元**整數**、再還原回來的函式。最後在一個訓練好的層上，量出這樣做的代價。
#
# 完成之後，你將能夠
#
# - 用**縮放係數**（scale）和**零點**（zero point）把實數變成整數，再變回實數；
# - 在對稱與非對稱、逐張量、逐通道與分組量化之間做選擇，並說出理由；
# - 把兩個 4 位元數值裝進一個位元組；
# - 衡量損失：SQNR、餘弦相似度、KL 散度。
#
# **進行方式。** 每個任務都有一個寫著 `# Your code here.` 的儲存格。把這一行和下面的 `raise` 換成你的程式，
# 執行它，再執行下方的 `check`。`check` 會跑公開測試，並說明哪裡不對；正式評分時，還會加上同類型的隱藏測試。
# 只有你寫的函式會被評分，儲存格印出什麼不影響分數。

# %% [markdown] lang="en"
# ## 1 · Why quantize?
#
# Llama-2-7B has 6.74 billion parameters. How much memory do the weights alone take? With one scale for each
# group of 128 weights, stored in 16 bits, a 4-bit weight really costs 4 + 16/128 = 4.125 bits.

# %% [markdown] lang="zh-TW"
# ## 1 · 為什麼要量化？
#
# Llama-2-7B 有 67.4 億個參數。光是權重就要多少記憶體？如果每 128 個權重共用一個 16 位元的縮放係數，一個 4
# 位元權重其實要花 4 + 16/128 = 4.125 位元。

# %%
parameters = 6_738_415_616  # Llama-2-7B
formats = {"float32": 32, "float16": 16, "int8": 8, "int4, groups of 128": 4 + 16 / 128}  # bits per weight
for name, bits in formats.items():
    gigabytes = parameters * bits / 8 / 1e9
    print(f"{name:20} {gigabytes:6.2f} GB   {32 / bits:5.2f}x smaller than float32")

# %% [markdown] lang="en"
# float32 needs a data-centre GPU, int8 fits an 8 GB graphics card (barely: activations and the KV cache
# come on top), and int4 fits a laptop. Serving one user, a language model spends most of its time *reading*
# weights, so fewer bytes are often also fewer milliseconds.
#
# **Where it matters.** In the *cloud*, smaller models mean more requests per GPU and a smaller bill. At the
# *edge* (cameras, cars, factories) memory and watts are fixed when the device is built. *Mobile* chips have
# integer units that are faster and more frugal than their floating-point units, and a download of 100 MB is
# not one of 400 MB. In *real-time* systems the slowest answer counts, and integer kernels with fixed scales
# keep it predictable.
#
# **PTQ or QAT?** *Post-training quantization* (PTQ), the subject of Lab 3.1, takes a finished model and
# looks for good scales. It needs minutes and at most a few hundred calibration samples, no labels and no
# training. *Quantization-aware training* (QAT) goes on training with the rounding simulated in the forward
# pass, so the weights learn to live with it. QAT costs a training run and the training data, and pays off
# when PTQ loses too much, typically at 4 bits and below or in very small models. Try PTQ first; QAT is Lab
# 3.2.

# %% [markdown] lang="zh-TW"
# float32 需要資料中心等級的 GPU；int8 勉強放得進 8 GB 的顯示卡（激活值和 KV 快取還要另外算）；int4 則放得進
# 筆電。只服務一位使用者時，語言模型大部分時間都花在**讀取**權重，所以位元組變少，延遲往往也跟著變短。
#
# **用在哪裡。** 在**雲端**，模型越小，每張 GPU 能服務的請求越多，帳單越小。在**邊緣**裝置（攝影機、車輛、工
# 廠），記憶體和功耗在出廠時就固定了。**行動**晶片的整數運算單元比浮點單元更快、更省電，而且下載 100 MB 和
# 400 MB 差很多。在**即時**系統裡，最慢的那一次才算數，縮放係數固定的整數運算能讓延遲更容易預測。
#
# **PTQ 還是 QAT？** **訓練後量化**（PTQ）是 Lab 3.1 的主題：拿一個訓練完成的模型，替它找好的縮放係數。只要
# 幾分鐘和最多幾百筆校準資料，不需要標籤，也不必訓練。**量化感知訓練**（QAT）則是繼續訓練，在前向傳播裡模擬
# 捨入，讓權重學會適應它。QAT 要付出一次訓練的成本，也需要訓練資料；當 PTQ 損失太大時才划算，通常是在 4 位元
# 以下，或是很小的模型。先試 PTQ；QAT 留到 Lab 3.2。

# %% [markdown] lang="en"
# ## 2 · Setup
#
# The layer below was really trained: it is the hidden layer of a small model that reads eight characters of
# Python's own documentation and guesses the ninth. It comes with 256 real inputs and with the layer after
# it (the *head*), so that we can see what a rounded weight does to the model's predictions. The file, its
# licence and the script that trained it lie in `datasets/`.

# %% [markdown] lang="zh-TW"
# ## 2 · 環境設定
#
# 下面這一層是真的訓練出來的：它是一個小模型的隱藏層，這個模型讀 Python 說明文件中的八個字元，猜第九個。附上
# 256 筆真實輸入和它後面的那一層（*head*），讓我們看得到權重捨入後，模型的預測會怎麼變。檔案、授權和訓練它的
# 程式都在 `datasets/` 裡。

# %%
import torch

from autograder.lab import (
    check,
    load_layer,
    log_experiment,
    plot_channel_ranges,
    plot_errors,
    plot_histograms,
    plot_staircase,
    plot_sweep,
)

layer = load_layer()
weight = layer.weight  # [out, in]
print(f"weight {list(weight.shape)} {weight.dtype}, from {weight.min():.3f} to {weight.max():.3f}")
print(f"{weight.numel() * 4:,} bytes; the float model guesses {layer.accuracy(layer.logits()):.1%} right")

# %% [markdown] lang="en"
# **What your hardware offers.** Integers always save memory. Whether they also save time depends on the
# machine: x86 CPUs multiply int8 quickly with *VNNI* or *AMX*, NVIDIA GPUs with their tensor cores. On a
# CPU that has only AVX2, BERT and GPT-2 in int8 ran 1.6 to 1.9 times as fast as in float32 when we measured
# ONNX Runtime; factors of 2.5 and more need VNNI or AMX. That is why no score in this course depends on
# speed. Run `ptqlab doctor` in a terminal for what this machine has; in short:

# %% [markdown] lang="zh-TW"
# **你的硬體提供什麼。** 整數一定省記憶體，但能不能省時間要看機器：x86 CPU 要有 *VNNI* 或 *AMX* 才能快速做
# int8 乘法，NVIDIA GPU 則靠 Tensor Core。在只有 AVX2 的 CPU 上，我們用 ONNX Runtime 實測，int8 的 BERT 和
# GPT-2 速度是 float32 的 1.6 到 1.9 倍；要到 2.5 倍以上，需要 VNNI 或 AMX。所以這門課的分數都與速度無關。在
# 終端機執行 `ptqlab doctor`，可以看到這台機器完整的情況；簡單來說：

# %%
print("vector instructions of this CPU:", torch.backends.cpu.get_cpu_capability())
print("CUDA device:", torch.cuda.get_device_name() if torch.cuda.is_available() else "none")

# %% [markdown] lang="en"
# ## 3 · The affine map
#
# Picture a ruler. The *scale* $s$ is the distance between two marks, the *zero point* $z$ is the number of
# the mark that stands at real 0, and quantizing is reading off the nearest mark:
#
# $$q = \operatorname{clamp}\left(\operatorname{round}\left(\frac{x}{s}\right) + z,\ q_{min},\ q_{max}\right)
# \qquad \hat{x} = s\,(q - z)$$
#
# There are two sources of error. *Rounding*: inside the range, $|\hat x - x| \le s/2$. *Clamping*
# (saturation): what lies beyond the last mark is read as the last mark, however far away it is. A wider
# range clamps less and rounds more coarsely. All of quantization is about this bargain.
#
# With $b$ bits there are two common choices ($lo$ and $hi$ are the least and the largest value):
#
# | | stored as | levels | scale $s$ | zero point $z$ |
# |---|---|---|---|---|
# | symmetric | `int8` | $-2^{b-1} \dots 2^{b-1}-1$ | $\max\lvert x\rvert / (2^{b-1}-1)$ | 0 |
# | asymmetric | `uint8` | $0 \dots 2^b-1$ | $(hi-lo) / (2^b-1)$ | clamp(round($-lo/s$)) |
#
# Symmetric suits weights, which lie around zero; a zero point of 0 also makes the arithmetic cheaper.
# Asymmetric suits activations such as those after a ReLU, where half of the symmetric levels would stand
# idle.

# %% [markdown] lang="zh-TW"
# ## 3 · 仿射映射
#
# 想像一把尺。**縮放係數** $s$ 是兩個刻度之間的距離，**零點** $z$ 是實數 0 所在刻度的編號，量化就是讀出最近
# 的刻度：
#
# $$q = \operatorname{clamp}\left(\operatorname{round}\left(\frac{x}{s}\right) + z,\ q_{min},\ q_{max}\right)
# \qquad \hat{x} = s\,(q - z)$$
#
# 誤差有兩個來源。**捨入**：在範圍之內，$|\hat x - x| \le s/2$。**截斷**（飽和）：超出最後一個刻度的值，不管
# 多遠，一律讀成最後一個刻度。範圍拉寬，截斷變少，捨入卻變粗。量化的一切，都是在這兩者之間權衡。
#
# 用 $b$ 個位元時，常見的選擇有兩種（$lo$、$hi$ 是最小值與最大值）：
#
# | | 儲存型別 | 可用的整數 | 縮放係數 $s$ | 零點 $z$ |
# |---|---|---|---|---|
# | 對稱 | `int8` | $-2^{b-1} \dots 2^{b-1}-1$ | $\max\lvert x\rvert / (2^{b-1}-1)$ | 0 |
# | 非對稱 | `uint8` | $0 \dots 2^b-1$ | $(hi - lo) / (2^b-1)$ | clamp(round($-lo/s$)) |
#
# 權重大致以零為中心，適合用對稱量化；零點為 0 也讓運算更省。激活值（例如 ReLU 之後）適合用非對稱量化，因為
# 若用對稱，會有一半的整數完全用不到。

# %% [markdown] lang="en"
# ### Where this notebook departs from the course handout
#
# If you have the handout, you will notice four differences. Each is deliberate.
#
# 1. **The formula.** The handout's text says $q = \operatorname{round}((x - z)/s)$, but restores with
#    $\hat x = s\,(q - z)$. These two don't undo each other: $x$ is a real value and $z$ counts marks, so
#    $x - z$ subtracts a page number from a length. Divide first, then add the zero point.
# 2. **The asymmetric range always contains 0.** For data in `[5, 10]` the handout gets $s = 5/255$ and
#    $z = -255$, which no `uint8` can hold. We widen the range: `lo = min(x.min(), 0)`,
#    `hi = max(x.max(), 0)`. So 0 is always *exactly* a mark, which matters because padding, ReLU and masks
#    produce exact zeros in great number.
# 3. **All-zero data.** The handout divides by a scale of 0 and gets NaN. Here the scale is then any
#    positive finite number, and the data comes back as exactly 0.
# 4. **Integers are stored as integers.** The handout's `q` holds round numbers in float32, so not one byte
#    is saved. Ours is really `int8` or `uint8`.
#
# ### Rounding half to even
#
# `torch.round` sends ties to the *even* neighbour. Always rounding .5 up would shift the mean of the data
# by a little, and over millions of values a little adds up.

# %% [markdown] lang="zh-TW"
# ### 這份筆記本與課程講義不同的地方
#
# 如果你手上有講義，會發現四處不同，都是刻意的。
#
# 1. **公式。** 講義的文字寫 $q = \operatorname{round}((x - z)/s)$，還原時卻用 $\hat x = s\,(q - z)$。這兩個
#    式子並不互逆：$x$ 是實數值，$z$ 是刻度的編號，$x - z$ 就像拿長度去減頁碼。要先除，再加上零點。
# 2. **非對稱的範圍一定包含 0。** 資料落在 `[5, 10]` 時，照講義會得到 $s = 5/255$、$z = -255$，沒有任何
#    `uint8` 裝得下。我們把範圍拉寬：`lo = min(x.min(), 0)`、`hi = max(x.max(), 0)`。這樣 0 永遠**剛好**是一
#    個刻度；這很重要，因為補零（padding）、ReLU 和遮罩會產生大量精確的 0。
# 3. **全為零的資料。** 講義會除以 0，得到 NaN。這裡縮放係數可以是任何有限的正數，資料還原後剛好是 0。
# 4. **整數要真的存成整數。** 講義的 `q` 是裝在 float32 裡的整數值，一個位元組也沒省下。我們的 `q` 真的是
#    `int8` 或 `uint8`。
#
# ### 四捨六入五成雙
#
# 遇到剛好一半時，`torch.round` 會取**偶數**的鄰居（round half to even）。如果 .5 一律進位，資料的平均值就會
# 偏移一點點；幾百萬個數值累積下來，就不只一點點了。

# %%
print(torch.round(torch.tensor([0.5, 1.5, 2.5, 3.5, -0.5, -1.5])))

# %% [markdown] lang="en"
# ### Two guards, given
#
# A single NaN makes the scale NaN, and with it every weight of the layer, silently. So each function that
# looks for a scale first refuses what has none. Call these two guards first in your functions: the tests of
# careful code ask for them in tasks 1.1, 1.2, 1.4, 1.5 and 1.6.

# %% [markdown] lang="zh-TW"
# ### 兩個現成的檢查函式
#
# 只要有一個 NaN，縮放係數就會變成 NaN，整層權重跟著悄悄毀掉。所以每個要找縮放係數的函式，都先拒絕沒有縮放係
# 數可言的資料。在你的函式裡先呼叫這兩個檢查：任務 1.1、1.2、1.4、1.5、1.6 的測試都會看你有沒有擋下這些輸
# 入。


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


# %% [markdown] lang="en"
# ## Task 1.1 · Symmetric quantization
#
# One scale for the whole tensor. By hand, with 8 bits and `x = [-1.0, 0.0, 0.537, 2.54]`: the largest
# magnitude is 2.54, so the scale is 2.54 / 127 = 0.02.
#
# | x | x / scale | q | restored | error |
# |---|---|---|---|---|
# | −1.0 | −50 | −50 | −1.0 | 0 |
# | 0.0 | 0 | 0 | 0.0 | 0 |
# | 0.537 | 26.85 | 27 | 0.54 | 0.003 |
# | 2.54 | 127 | 127 | 2.54 | 0 |
#
# The level −128 stays unused: symmetric data has no partner for it. (Libraries disagree here: TensorRT and
# ONNX Runtime divide by 127 as we do, PyTorch's observers by 127.5.)
#
# Write `symmetric_quantization`. Think of: half-precision inputs (compute in float32), all zeros, any
# number of bits from 2 to 8, no loop over elements, and the input left as it was. A result belongs on the
# device of its input: a function that builds new tensors with a hard-wired device works on your laptop and
# fails on a GPU.

# %% [markdown] lang="zh-TW"
# ## 任務 1.1 · 對稱量化
#
# 整個張量共用一個縮放係數。先用手算一次，8 位元，`x = [-1.0, 0.0, 0.537, 2.54]`：絕對值最大的是 2.54，所以
# 縮放係數是 2.54 / 127 = 0.02。
#
# | x | x / scale | q | 還原值 | 誤差 |
# |---|---|---|---|---|
# | −1.0 | −50 | −50 | −1.0 | 0 |
# | 0.0 | 0 | 0 | 0.0 | 0 |
# | 0.537 | 26.85 | 27 | 0.54 | 0.003 |
# | 2.54 | 127 | 127 | 2.54 | 0 |
#
# −128 這個整數用不到：對稱的資料沒有與它對應的值。（各家函式庫在這裡做法不一：TensorRT 和 ONNX Runtime 跟我
# 們一樣除以 127，PyTorch 的 observer 則除以 127.5。）
#
# 請寫出 `symmetric_quantization`。要想到：半精度輸入（用 float32 計算）、全零的資料、2 到 8 之間的任何位元
# 數、不要逐元素跑迴圈、不要改動輸入。結果要留在輸入所在的裝置上：如果把裝置寫死，程式在你的筆電上能跑，到了
# GPU 就會失敗。


# %%
### BEGIN SOLUTION
def _signed_range(bits):
    """The lowest and the highest level of a signed integer of `bits` bits."""
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _usable(scale):
    """`scale`, with 1 where it is 0: all-zero data has no range, and 0 / 0 would be NaN."""
    return scale.masked_fill(scale == 0, 1.0)


def _symmetric_scale(amax, bits):
    """float32 scales, shaped like `amax`, that map `amax` to the highest level."""
    _, highest = _signed_range(bits)
    return _usable(amax / highest)


def _nearest_signed_level(x, scale, bits):
    """int8 levels nearest to `x / scale`; what lies outside the range saturates."""
    return torch.round(x / scale).clamp(*_signed_range(bits)).to(torch.int8)


### END SOLUTION
def symmetric_quantization(tensor, bits=8):
    """Quantize a whole tensor symmetrically around zero.

    tensor  any shape, any floating dtype
    bits    int, 2 to 8
    returns (q, scale): q int8, shaped like `tensor`; scale 0-dim float32
    raises  ValueError: bits out of range; tensor empty, or with NaN or infinity
    """
    ### BEGIN SOLUTION
    require_bits(bits)
    require_finite(tensor)
    x = tensor.detach().float()
    scale = _symmetric_scale(x.abs().amax(), bits)
    return _nearest_signed_level(x, scale, bits), scale
    ### END SOLUTION


# %%
check("1.1")

# %% [markdown] lang="en"
# ## Task 1.2 · Asymmetric quantization
#
# By hand, with 8 bits and `x = [-0.5, 0.0, 1.0, 2.05]`: lo = −0.5 and hi = 2.05, so the scale is 2.55 / 255
# = 0.01 and the zero point round(0.5 / 0.01) = 50. Hence q = `[0, 50, 150, 255]`. Real 0 became 50 and
# comes back as exactly 0.
#
# And `[5, 10]` becomes the range `[0, 10]`: scale 10 / 255, zero point 0, and half of the levels idle. That
# is the price of an exact zero.
#
# Write `asymmetric_quantization`. The zero point is a *level*, so it is an integer: an `int` or a 0-dim
# integer tensor.

# %% [markdown] lang="zh-TW"
# ## 任務 1.2 · 非對稱量化
#
# 手算一次，8 位元，`x = [-0.5, 0.0, 1.0, 2.05]`：lo = −0.5、hi = 2.05，縮放係數是 2.55 / 255 = 0.01，零點是
# round(0.5 / 0.01) = 50，於是 q = `[0, 50, 150, 255]`。實數 0 變成 50，還原後剛好是 0。
#
# 而 `[5, 10]` 的範圍會變成 `[0, 10]`：縮放係數 10 / 255，零點 0，有一半的整數閒置。這就是讓 0 精確的代價。
#
# 請寫出 `asymmetric_quantization`。零點是一個**刻度**，所以是整數：`int`，或 0 維的整數張量。


# %%
### BEGIN SOLUTION
def _asymmetric_parameters(x, bits):
    """(scale float32, zero point int32), both 0-dim, for the range of `x` widened to contain 0."""
    lo, hi = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    highest = 2**bits - 1
    scale = _usable((hi - lo) / highest)
    return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)


def _nearest_unsigned_level(x, scale, zero_point, bits):
    """uint8 levels nearest to `x / scale`, shifted by the zero point; what lies outside saturates."""
    return (torch.round(x / scale) + zero_point).clamp(0, 2**bits - 1).to(torch.uint8)


### END SOLUTION
def asymmetric_quantization(tensor, bits=8):
    """Quantize a whole tensor over its own range, which is widened to contain 0.

    tensor  any shape, any floating dtype
    bits    int, 2 to 8
    returns (q, scale, zero_point): q uint8, shaped like `tensor`; scale 0-dim float32;
            zero_point an int or a 0-dim integer tensor
    raises  ValueError: bits out of range; tensor empty, or with NaN or infinity
    """
    ### BEGIN SOLUTION
    require_bits(bits)
    require_finite(tensor)
    x = tensor.detach().float()
    scale, zero_point = _asymmetric_parameters(x, bits)
    return _nearest_unsigned_level(x, scale, zero_point, bits), scale, zero_point
    ### END SOLUTION


# %%
check("1.2")

# %% [markdown] lang="en"
# ## Task 1.3 · Dequantize
#
# The way back, $\hat{x} = s\,(q - z)$, for both kinds. Scale and zero point may be single numbers or
# tensors that broadcast against `q`. One trap: what is 3 − 5 when both are `uint8`?

# %% [markdown] lang="zh-TW"
# ## 任務 1.3 · 反量化
#
# 回頭的路：$\hat{x} = s\,(q - z)$，兩種量化都適用。縮放係數和零點可以是單一數字，也可以是能與 `q` 廣播
# （broadcast）的張量。有個陷阱：如果兩者都是 `uint8`，3 − 5 等於多少？


# %%
def dequantize(q, scale, zero_point=0):
    """Restore real values: scale · (q − zero_point).

    q           int8 or uint8, any shape
    scale       float32, broadcastable to q
    zero_point  integer, broadcastable to q
    returns     float32, shaped like q
    """
    ### BEGIN SOLUTION
    # float32 before the subtraction: in uint8, 3 − 5 would be 254
    return ((q.to(torch.float32) - zero_point) * scale).to(torch.float32)
    ### END SOLUTION


# %%
check("1.3")

# %% [markdown] lang="en"
# ### See it: a staircase with 3 bits
#
# With 3 bits, seven levels are left (−3 to 3), so the staircase is visible. Below it is the error, a
# sawtooth that never leaves ± scale / 2.

# %% [markdown] lang="zh-TW"
# ### 看圖：3 位元的階梯
#
# 3 位元只剩七個整數（−3 到 3），所以看得見階梯。下方是誤差：一條鋸齒線，永遠不會超出 ± scale / 2。

# %%
x = torch.linspace(-1, 1, 801)
q, scale = symmetric_quantization(x, bits=3)
plot_staircase(x, dequantize(q, scale), f"symmetric, 3 bits: scale = {scale:.3f}")

# %% [markdown] lang="en"
# ### See it: the trained weights as integers
#
# On the left the weights as they were trained, on the right their codes at 4 bits. (The vertical axes are
# logarithmic, otherwise the tails would be invisible.) Most weights are small. A few large ones at the
# edges dictate the scale, and nine tenths of all weights land on just three levels.

# %% [markdown] lang="zh-TW"
# ### 看圖：變成整數的權重
#
# 左邊是訓練出來的權重，右邊是它們在 4 位元下的整數碼。（縱軸是對數刻度，否則看不到尾端。）大部分權重都很
# 小；邊緣少數幾個大的決定了縮放係數，於是九成的權重都擠在三個整數上。

# %%
q, scale = symmetric_quantization(weight, bits=4)
print(f"share of weights on the levels -1, 0 and 1: {(q.abs() <= 1).float().mean():.0%}")
plot_histograms(weight, q, "the trained layer, symmetric per tensor, 4 bits")

# %% [markdown] lang="en"
# ## Task 1.4 · A quantizer that remembers
#
# Weights are known beforehand, activations are not: their scale has to be chosen from *calibration data*
# and then holds for everything that comes later. So the two steps part: `calibrate` finds scale and zero
# point, `quantize` only applies them. New values outside the calibrated range saturate at the last level.
# They must not wrap around, which is what a bare cast of 130 to `int8` does: it gives −126.
#
# A second `calibrate` replaces the first. Using the quantizer before `calibrate` is a `RuntimeError`: there
# is no scale yet, and guessing one would hide the mistake.

# %% [markdown] lang="zh-TW"
# ## 任務 1.4 · 記得住參數的量化器
#
# 權重事先就知道，激活值卻不是：它的縮放係數得先用**校準資料**（calibration data）決定，之後固定用在所有新資
# 料上。所以分成兩步：`calibrate` 找縮放係數和零點，`quantize` 只負責套用。新資料若超出校準的範圍，就停在最
# 後一個整數上（飽和），不可以繞回另一頭；直接把 130 轉成 `int8` 就會這樣，變成 −126。
#
# 第二次 `calibrate` 會取代第一次。還沒 `calibrate` 就使用，是 `RuntimeError`：此時還沒有縮放係數，隨便猜一
# 個只會把錯誤藏起來。


# %%
class BasicQuantizer:
    """Scale and zero point from calibration data, then the same for all data.

    bits        int, 2 to 8
    symmetric   True: int8 around zero. False: uint8 with a zero point
    scale       0-dim float32, after `calibrate`
    zero_point  0 when symmetric, otherwise an int or a 0-dim integer tensor, after `calibrate`
    raises      ValueError: bits out of range
    """

    def __init__(self, bits=8, symmetric=True):
        ### BEGIN SOLUTION
        require_bits(bits)
        self.bits = bits
        self.symmetric = symmetric
        self.scale = None
        self.zero_point = 0
        ### END SOLUTION

    def calibrate(self, data):
        """Take scale and zero point from `data`, in place of any earlier ones.

        raises  ValueError: data empty, or with NaN or infinity
        """
        ### BEGIN SOLUTION
        require_finite(data)
        x = data.detach().float()
        if self.symmetric:
            self.scale, self.zero_point = _symmetric_scale(x.abs().amax(), self.bits), 0
        else:
            self.scale, self.zero_point = _asymmetric_parameters(x, self.bits)
        ### END SOLUTION

    def quantize(self, tensor):
        """Integers for `tensor`, any shape; values outside the calibrated range saturate.

        returns int8 (symmetric) or uint8 (asymmetric), shaped like `tensor`
        raises  RuntimeError: not calibrated
        """
        ### BEGIN SOLUTION
        self._require_calibrated()
        x = tensor.detach().float()
        if self.symmetric:
            return _nearest_signed_level(x, self.scale, self.bits)
        return _nearest_unsigned_level(x, self.scale, self.zero_point, self.bits)
        ### END SOLUTION

    def dequantize(self, q_tensor):
        """Real values, float32, for what `quantize` returned.

        raises  RuntimeError: not calibrated
        """
        ### BEGIN SOLUTION
        self._require_calibrated()
        return dequantize(q_tensor, self.scale, self.zero_point)

    def _require_calibrated(self):
        if self.scale is None:
            raise RuntimeError("this quantizer has no scale yet: call calibrate(data) first")
        ### END SOLUTION


# %%
check("1.4")

# %% [markdown] lang="en"
# ### See it: symmetric or asymmetric for activations?
#
# What the layer puts out after ReLU is never negative. We calibrate on one half of the inputs and quantize
# the other half, as in real use. The symmetric quantizer spends half of its levels on negative numbers that
# never come, so its steps are twice as wide and its mean error about twice as large: one whole bit is lost.
# The unsigned levels lose nothing.

# %% [markdown] lang="zh-TW"
# ### 看結果：激活值該用對稱還是非對稱？
#
# 這一層在 ReLU 之後的輸出不會是負的。我們用一半的輸入校準，量化另一半，就像實際使用時一樣。對稱量化器把一半
# 的整數留給永遠不會出現的負數，所以刻度寬一倍，平均誤差也大約大一倍：整整損失一個位元。無號整數則什麼都沒浪
# 費。

# %%
hidden = layer.hidden()
calibration_data, new_data = hidden[:128], hidden[128:]
for symmetric in (True, False):
    quantizer = BasicQuantizer(bits=8, symmetric=symmetric)
    quantizer.calibrate(calibration_data)
    codes = quantizer.quantize(new_data)
    error = (quantizer.dequantize(codes) - new_data).abs()
    saturated = (new_data > calibration_data.max()).float().mean()
    kind = "symmetric" if symmetric else "asymmetric"
    print(f"{kind:10}  codes {codes.min()} to {codes.max()}, mean |error| {error.mean():.4f}", end=", ")
    print(f"{saturated:.3%} saturated")
    log_experiment(f"activations, {kind}", bits=8, mean_abs_error=error.mean())

# %% [markdown] lang="en"
# ## Task 1.5 · One scale per channel
#
# A single scale for the tensor has to serve the widest channel. How much do the channels of our layer
# differ?

# %% [markdown] lang="zh-TW"
# ## 任務 1.5 · 每個通道一個縮放係數
#
# 整個張量只用一個縮放係數，就得遷就範圍最寬的通道。我們這一層的通道差多少？

# %%
plot_channel_ranges(weight)

# %% [markdown] lang="en"
# The median channel uses less than half of the range that per-tensor gives it: more than one bit wasted.
# The cure is a scale for each output channel. It costs one number for each row, and the arithmetic stays
# cheap, because the scale of an *output* channel can be taken out of the sum:
#
# $$y_o = \sum_i W_{oi}\,x_i \approx s_o \sum_i q_{oi}\,x_i$$
#
# A scale for each *input* channel could not be taken out.
#
# **`axis` is the axis that is kept**, the opposite of torch's `dim`, which is the one that is reduced away:
#
# | layer | weight | output channels on | scale |
# |---|---|---|---|
# | `nn.Linear` | `[out, in]` | `axis=0` | `[out, 1]` |
# | GPT-2's `Conv1D` | `[in, out]` | `axis=1` | `[1, out]` |
# | `nn.Conv2d` | `[out, in, h, w]` | `axis=0` | `[out, 1, 1, 1]` |
#
# The scale keeps its dimensions so that it broadcasts against `q` in `dequantize`. Negative axes count from
# the end, as everywhere in torch. By hand: `[[1.27, -0.5], [0.0127, 0.005]]` with `axis=0` has the scales
# `[[0.01], [0.0001]]` and the codes `[[127, -50], [127, 50]]`. With one scale for all, nothing but `[1, 0]`
# would be left of the second row.

# %% [markdown] lang="zh-TW"
# 在逐張量的範圍裡，中位數的通道用不到一半：浪費了不只一個位元。解法是每個輸出通道各用一個縮放係數。代價是每
# 一列（row）多存一個數字；運算仍然便宜，因為**輸出**通道的縮放係數可以提到總和外面：
#
# $$y_o = \sum_i W_{oi}\,x_i \approx s_o \sum_i q_{oi}\,x_i$$
#
# **輸入**通道的縮放係數就提不出來。
#
# **`axis` 是保留下來的那個軸**，和 torch 的 `dim`（被縮減掉的軸）正好相反：
#
# | 層 | 權重 | 輸出通道所在的軸 | 縮放係數 |
# |---|---|---|---|
# | `nn.Linear` | `[out, in]` | `axis=0` | `[out, 1]` |
# | GPT-2 的 `Conv1D` | `[in, out]` | `axis=1` | `[1, out]` |
# | `nn.Conv2d` | `[out, in, h, w]` | `axis=0` | `[out, 1, 1, 1]` |
#
# 縮放係數保留所有維度，這樣在 `dequantize` 裡才能與 `q` 廣播。負的 axis 從最後面數起，和 torch 各處一樣。手
# 算一次：`[[1.27, -0.5], [0.0127, 0.005]]` 取 `axis=0`，縮放係數是 `[[0.01], [0.0001]]`，整數碼是
# `[[127, -50], [127, 50]]`。如果全部共用一個縮放係數，第二列就只剩 `[1, 0]`。


# %%
def per_channel_quantization(tensor, bits=8, axis=0):
    """Quantize symmetrically with one scale for each index of `axis`, the axis that is kept.

    tensor  two or more dimensions, any floating dtype
    bits    int, 2 to 8
    axis    int; negative counts from the last dimension
    returns (q, scale): q int8, shaped like `tensor`; scale float32, all other dimensions 1: [C, 1], [1, C], …
    raises  ValueError: bits out of range; tensor empty, or with NaN or infinity
    """
    ### BEGIN SOLUTION
    require_bits(bits)
    require_finite(tensor)
    x = tensor.detach().float()
    channels = x.movedim(axis, 0).reshape(x.shape[axis], -1)  # [C, everything else]
    kept = [1] * x.dim()
    kept[axis] = -1
    scale = _symmetric_scale(channels.abs().amax(dim=1), bits).reshape(kept)
    return _nearest_signed_level(x, scale, bits), scale
    ### END SOLUTION


# %%
check("1.5")

# %% [markdown] lang="en"
# ### See it: per tensor against per channel
#
# On the left the errors of single weights at 4 bits. On the right the signal-to-noise ratio of each channel
# (task 1.8 defines it). Per tensor, the narrower a channel, the more of it drowns in rounding. Per channel,
# the narrow ones do no worse than the wide ones. Only the widest channel gains nothing: the tensor's scale
# was its own.

# %% [markdown] lang="zh-TW"
# ### 看圖：逐張量對逐通道
#
# 左圖是 4 位元下每個權重的誤差，右圖是每個通道的訊號雜訊比（任務 1.8 會定義）。逐張量時，通道的範圍越窄，被
# 捨入誤差淹沒得越嚴重；逐通道時，窄的通道不會比寬的差。只有最寬的通道沒有變好：整個張量的縮放係數本來就是它
# 的。

# %%
restored = {
    "per tensor": dequantize(*symmetric_quantization(weight, bits=4)),
    "per channel": dequantize(*per_channel_quantization(weight, bits=4)),
}
plot_errors(weight, restored, "the trained layer at 4 bits")

# %% [markdown] lang="en"
# ## Task 1.6 · Group quantization
#
# With 4 bits there are so few levels that even one row is too long for one scale: a single outlier in it
# coarsens thousands of neighbours. So today's 4-bit formats (GPTQ, AWQ, GGUF) cut each row into groups of
# 32 to 128 weights with a scale each. An outlier then spoils only its own group. The price is storage: a
# 16-bit scale for each group of $g$ weights adds $16/g$ bits to every weight, 0.125 for 128 and 0.5 for 32.
#
# By hand: the row `[0.7, -0.1, 0.007, 0.001]` with `group_size=2` and 4 bits (highest level 7) has the
# scales `[0.1, 0.001]` and the codes `[7, -1, 7, 1]`. Note the shape of the scale,
# `[out, in / group_size]`: it doesn't broadcast against `q` by itself. If `in` is no multiple of the group
# size, raise a `ValueError`.

# %% [markdown] lang="zh-TW"
# ## 任務 1.6 · 分組量化
#
# 4 位元的整數太少，連一整列共用一個縮放係數都嫌太長：只要其中一個離群值，就會讓幾千個鄰居變粗。所以現在的 4
# 位元格式（GPTQ、AWQ、GGUF）把每一列切成 32 到 128 個權重一組，每組各有縮放係數，離群值就只會影響自己那一
# 組。代價是儲存空間：每 $g$ 個權重配一個 16 位元的縮放係數，等於每個權重多花 $16/g$ 位元；128 一組是
# 0.125，32 一組是 0.5。
#
# 手算一次：一列 `[0.7, -0.1, 0.007, 0.001]`，`group_size=2`，4 位元（最大的整數是 7），縮放係數是
# `[0.1, 0.001]`，整數碼是 `[7, -1, 7, 1]`。注意縮放係數的形狀 `[out, in / group_size]`：它不能直接與 `q` 廣
# 播。如果 `in` 不是組大小的倍數，請丟出 `ValueError`。


# %%
def group_quantization(weight, bits=4, group_size=128):
    """Quantize symmetrically with one scale for each `group_size` neighbouring weights of a row.

    weight  [out, in], any floating dtype
    bits    int, 2 to 8
    returns (q, scale): q int8 [out, in]; scale float32 [out, in / group_size]
    raises  ValueError: bits out of range; `in` no multiple of group_size; weight empty, NaN or infinite
    """
    ### BEGIN SOLUTION
    require_bits(bits)
    require_finite(weight)
    out_features, in_features = weight.shape
    if group_size < 1 or in_features % group_size:
        raise ValueError(f"the input width {in_features} is no multiple of group_size {group_size}")
    groups = weight.detach().float().reshape(out_features, -1, group_size)
    scale = _symmetric_scale(groups.abs().amax(dim=-1), bits)
    return _nearest_signed_level(groups, scale.unsqueeze(-1), bits).reshape(weight.shape), scale
    ### END SOLUTION


# %%
check("1.6")

# %% [markdown] lang="en"
# ## Task 1.7 · Two values in a byte
#
# torch has no 4-bit dtype that you can compute with, so 4-bit codes lie in `int8`, and half of every byte
# is empty. Before they are stored they are *packed*. Four bits in two's complement hold −8 to 7: the
# negative value $-k$ is stored as $16 - k$. The first value goes into the low nibble (the four lower bits),
# the second into the high one.
#
# By hand: `[1, -2]` are the nibbles `0001` and `1110`, together the byte `1110 0001` = 0xE1 = 225. On the
# way back 1110 must become −2 again and not 14. So `[..., n]` becomes `[..., n / 2]`, and an odd `n`, or a
# value that doesn't fit, is a `ValueError`.

# %% [markdown] lang="zh-TW"
# ## 任務 1.7 · 一個位元組裝兩個值
#
# torch 沒有可以直接運算的 4 位元型別，所以 4 位元的整數碼放在 `int8` 裡，每個位元組有一半是空的。儲存之前要
# 先**打包**（pack）。4 位元的二補數可以表示 −8 到 7：負數 $-k$ 存成 $16 - k$。第一個值放在低半位元組（較低
# 的四個位元），第二個放在高半位元組。
#
# 手算一次：`[1, -2]` 是 `0001` 和 `1110`，合起來的位元組是 `1110 0001` = 0xE1 = 225。還原時 1110 要變回
# −2，而不是 14。因此 `[..., n]` 會變成 `[..., n / 2]`；`n` 是奇數，或有放不下的值，都是 `ValueError`。


# %%
def pack_int4(q):
    """Pack two 4-bit values into each byte, in two's complement, the first one in the low nibble.

    q       integers from −8 to 7, [..., n] with n even
    returns uint8 [..., n / 2]
    raises  ValueError: n odd, or a value outside −8…7
    """
    ### BEGIN SOLUTION
    if q.dim() == 0 or q.shape[-1] % 2:
        raise ValueError(f"two values share a byte: expected an even last dimension, got {list(q.shape)}")
    if ((q < -8) | (q > 7)).any():
        raise ValueError("4 bits hold −8 to 7: at least one value lies outside")
    nibbles = (q.to(torch.int8) & 0x0F).to(torch.uint8)
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)
    ### END SOLUTION


def unpack_int4(packed):
    """Undo `pack_int4`.

    packed  uint8 [..., n / 2]
    returns int8 [..., n], values −8 to 7
    """
    ### BEGIN SOLUTION
    nibbles = torch.stack((packed & 0x0F, packed >> 4), dim=-1).flatten(-2).to(torch.int8)
    return (nibbles ^ 8) - 8  # extends the sign: flipping bit 3 maps −8…7 to 0…15 in order
    ### END SOLUTION


# %%
check("1.7")

# %% [markdown] lang="en"
# ## Task 1.8 · How much did it cost?
#
# Three numbers, each for another question.
#
# | metric | question | equal | watch out |
# |---|---|---|---|
# | SQNR (dB) | how large is the signal beside the error? | ∞ | one more bit halves the error: + 6 dB |
# | cosine similarity | do both point in the same direction? | 1 | blind to a wrong scale: cos(x, 3x) = 1 |
# | KL divergence (nats) | how differently does the *model* decide? | 0 | not symmetric: the original first |
#
# $$\mathrm{SQNR} = 10 \log_{10} \frac{\sum x^2}{\sum (x - \hat x)^2}
# \qquad
# \mathrm{KL}(P \,\|\, Q) = \sum_k P_k \ln \frac{P_k}{Q_k}$$
#
# $P$ and $Q$ are the softmax of the original and of the quantized logits, and the KL is averaged over all
# rows (all dimensions but the last). By hand: for $P = [\tfrac12, \tfrac12]$ and $Q = [\tfrac14, \tfrac34]$
# it is ½ ln 2 + ½ ln ⅔ = 0.144 nats. The other way round it would be 0.131. Logits may be large: the
# exponential of 1000 is infinite in float32, so never compute a softmax and then its logarithm.

# %% [markdown] lang="zh-TW"
# ## 任務 1.8 · 代價有多大？
#
# 三個數字，各回答不同的問題。
#
# | 指標 | 回答的問題 | 相同時 | 注意 |
# |---|---|---|---|
# | SQNR（dB） | 訊號和誤差相比有多大？ | ∞ | 每多一個位元，誤差減半：+ 6 dB |
# | 餘弦相似度 | 兩者方向是否相同？ | 1 | 看不出縮放錯誤：cos(x, 3x) = 1 |
# | KL 散度（nats） | **模型**的判斷差多少？ | 0 | 不對稱：原始的放前面 |
#
# $$\mathrm{SQNR} = 10 \log_{10} \frac{\sum x^2}{\sum (x - \hat x)^2}
# \qquad
# \mathrm{KL}(P \,\|\, Q) = \sum_k P_k \ln \frac{P_k}{Q_k}$$
#
# $P$ 和 $Q$ 是原始與量化後 logits 的 softmax，KL 再對所有列（最後一維以外的所有維度）取平均。手算一
# 次：$P = [\tfrac12, \tfrac12]$、$Q = [\tfrac14, \tfrac34]$ 時是 ½ ln 2 + ½ ln ⅔ = 0.144 nats；反過來則是
# 0.131。logits 可能很大：float32 的 exp(1000) 是無限大，所以千萬不要先算 softmax 再取對數。


# %%
def compute_sqnr(original, restored):
    """Signal-to-quantization-noise ratio in dB: 10·log10(Σ x² / Σ (x − x̂)²); inf when both are equal.

    original, restored  same shape, any dtype
    returns             0-dim float32
    """
    ### BEGIN SOLUTION
    x, restored = original.float(), restored.float()
    signal, noise = x.square().sum(), (x - restored).square().sum()
    return torch.where(noise == 0, torch.inf, 10 * torch.log10(signal / noise))
    ### END SOLUTION


def compute_cosine_sim(a, b):
    """Cosine of the angle between two flattened tensors, −1 to 1.

    a, b     same number of elements, any dtype
    returns  0-dim float32
    """
    ### BEGIN SOLUTION
    return torch.nn.functional.cosine_similarity(a.float().flatten(), b.float().flatten(), dim=0)
    ### END SOLUTION


def compute_kl_div(original_logits, quantized_logits):
    """KL(original ‖ quantized) in nats: what it costs to believe the quantized model; 0 when both agree.

    original_logits, quantized_logits  [..., classes], any floating dtype
    returns                            0-dim float32, the mean over all rows
    """
    ### BEGIN SOLUTION
    log_p = original_logits.float().log_softmax(dim=-1)  # never log(softmax): that underflows
    log_q = quantized_logits.float().log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    ### END SOLUTION


# %%
check("1.8")

# %% [markdown] lang="en"
# ## 4 · FP32 against INT8
#
# Now everything together on the trained layer. `round_trip` (given) quantizes and restores a weight;
# `evaluate` puts the restored weight into the model and measures. The sizes count codes *and* scales (two
# bytes a scale, as file formats store them), so the compression ratios are honest. The last column is the
# accuracy on only 256 inputs, where one input is 0.4 %: it wobbles, and KL tells you more.

# %% [markdown] lang="zh-TW"
# ## 4 · FP32 對 INT8
#
# 現在把全部合起來，用在訓練好的層上。`round_trip`（現成）把權重量化再還原；`evaluate` 把還原的權重放回模
# 型，然後測量。大小包含整數碼**和**縮放係數（每個兩位元組，一般檔案格式就是這樣存），所以壓縮比是誠實的。最
# 後一欄是只用 256 筆輸入算的準確率，一筆就是 0.4 %：它會晃動，KL 更值得參考。


# %%
def round_trip(weight, bits, granularity):
    """Quantize `weight` [out, in] and restore it; returns (restored weight, bytes of codes and scales)."""
    if granularity == "per tensor":
        q, scale = symmetric_quantization(weight, bits)
        restored = dequantize(q, scale)
    elif granularity == "per channel":
        q, scale = per_channel_quantization(weight, bits)
        restored = dequantize(q, scale)
    else:
        group_size = int(granularity.split()[-1])  # "groups of 32"
        q, scale = group_quantization(weight, bits, group_size)
        restored = dequantize(q, scale.repeat_interleave(group_size, dim=1))  # [out, in], as wide as q
    return restored, q.numel() * bits / 8 + scale.numel() * 2


def evaluate(bits, granularity):
    """One row of measurements: the layer's weight at `bits` bits, everything else in float32."""
    restored, size = round_trip(layer.weight, bits, granularity)
    reference, logits = layer.logits(), layer.logits(restored)
    return {
        "granularity": granularity,
        "bits": bits,
        "compression": layer.weight.numel() * 4 / size,
        "sqnr_db": float(compute_sqnr(layer.weight, restored)),
        "cosine": float(compute_cosine_sim(layer.weight, restored)),
        "kl_nats": float(compute_kl_div(reference, logits)),
        "accuracy": layer.accuracy(logits),
    }


print(f"float32: accuracy {layer.accuracy(layer.logits()):.1%}")
print(f"{'':13} bits  compression  SQNR (dB)   cosine   KL (nats)  accuracy")
granularities = ["per tensor", "per channel", "groups of 128", "groups of 32"]
for bits in (8, 4):
    for granularity in granularities:
        row = evaluate(bits, granularity)
        log_experiment("FP32 against INT", **row)
        print(
            f"{granularity:13} {bits:4}  {row['compression']:10.2f}x  {row['sqnr_db']:9.1f}"
            f"  {row['cosine']:.5f}  {row['kl_nats']:9.5f}  {row['accuracy']:8.1%}"
        )

# %% [markdown] lang="en"
# At 8 bits all four are so close to float32 that the choice hardly matters: a quarter of the memory for
# next to nothing. At 4 bits the granularity decides. Note how little the cosine reacts, and how clearly KL
# does.

# %% [markdown] lang="zh-TW"
# 8 位元時，四種做法都和 float32 非常接近，選哪個幾乎沒差：記憶體只要四分之一，幾乎不付代價。到了 4 位元，粒
# 度就是關鍵。注意餘弦相似度的反應多麼遲鈍，而 KL 多麼清楚。

# %% [markdown] lang="en"
# ## 5 · From 8 bits down to 2

# %% [markdown] lang="zh-TW"
# ## 5 · 從 8 位元一路到 2 位元

# %%
rows = [evaluate(bits, granularity) for granularity in granularities for bits in range(2, 9)]
for row in rows:
    log_experiment("sweep", **row)
plot_sweep(rows)

# %% [markdown] lang="en"
# What to see:
#
# - **Six decibels a bit.** Above 4 bits the lines rise by 6 dB for each bit, as the formula promises.
#   Below, the large weights get the few levels that there are, and the small ones vanish.
# - **Per channel is worth a bit.** Its line lies 6 dB above per-tensor: per-channel with 7 bits is as good
#   as per-tensor with 8, and costs 256 scales.
# - **Is a group worth its scale?** Groups of 128 cost 0.125 bit a weight, which is worth 0.75 dB, and gain
#   2. Groups of 32 cost 0.5 bit (3 dB) and gain 4. Both pay here, the small ones not by much. Count before
#   you choose.
# - **SQNR of the weights and KL of the outputs agree here**, because there is one layer and no outlier in
#   the activations. In notebooks 3 and 4 they will part.
# - **Why does 2 bits collapse?** Symmetric 2-bit has the levels −1, 0, 1 (and −2, which never comes).
#   Whatever is smaller than half the largest weight becomes 0.

# %% [markdown] lang="zh-TW"
# 看出什麼：
#
# - **每位元 6 dB。** 在 4 位元以上，每多一個位元，線就上升 6 dB，和公式說的一樣。再往下，僅有的幾個整數都給
#   了大的權重，小的就消失了。
# - **逐通道值一個位元。** 它的線比逐張量高 6 dB：7 位元的逐通道和 8 位元的逐張量一樣好，代價只是 256 個縮放
#   係數。
# - **分組值得嗎？** 128 一組，每個權重多花 0.125 位元，相當於 0.75 dB，賺回 2 dB。32 一組多花 0.5 位元（3
#   dB），賺回 4 dB。在這裡兩者都划算，但小組賺得不多。先算再選。
# - **這裡權重的 SQNR 和輸出的 KL 看法一致**，因為只有一層，激活值也沒有離群值。到了第 3、4 份筆記本，兩者就
#   會分道揚鑣。
# - **為什麼 2 位元會崩潰？** 對稱的 2 位元只有 −1、0、1（還有用不到的 −2）。凡是小於最大權重一半的，都變成
#   0。

# %% [markdown] lang="en"
# ### The log
#
# `log_experiment` appended every measurement as one line of JSON to `experiments.jsonl` beside this
# notebook. In production the same habit tells you when a model that was quantized last month starts to
# drift: a line per run, with time and figures, that any tool can read.

# %% [markdown] lang="zh-TW"
# ### 實驗紀錄
#
# `log_experiment` 把每次測量以一行 JSON 附加到這份筆記本旁邊的 `experiments.jsonl`。在正式環境裡，同樣的習
# 慣能讓你發現上個月量化的模型是否開始走樣：每次執行一行，有時間、有數字，任何工具都能讀。

# %%
from pathlib import Path

print(*Path("experiments.jsonl").read_text(encoding="utf-8").splitlines()[-3:], sep="\n")

# %% [markdown] lang="en"
# ## 6 · Before you go on
#
# Not graded, but worth two minutes each:
#
# 1. Multiply a single weight by 20 (in a copy) and run the sweep again. Which granularity suffers most,
#    which least?
# 2. Quantize the *columns* (`axis=1`) instead of the rows. Which is better for this layer, and why can't a
#    fast kernel use it?
# 3. The symmetric scale uses the largest magnitude. Would a smaller one, which clamps a few weights, have a
#    better SQNR at 4 bits? (Notebook 4 turns this into a method.)
#
# **Reading**
#
# - B. Jacob et al., *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
#   Inference*, CVPR 2018, [arXiv:1712.05877][jacob]: the affine map, and why zero must be exact (section
#   2.1).
# - NVIDIA TensorRT, [*Working with Quantized Types*][tensorrt]: symmetric scales, per tensor, per channel
#   and per block.
# - OpenVINO, [*Basic Quantization Flow*][openvino]: the same steps as a library call.
#
# **Next:** notebook 02 quantizes activations too, with scales from calibration data, and computes in
# integers.
#
# [jacob]: https://arxiv.org/abs/1712.05877
# [tensorrt]: https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-with-quantized-types.html
# [openvino]: https://docs.openvino.ai/2025/openvino-workflow/model-optimization-guide/quantizing-models-post-training/basic-quantization-flow.html

# %% [markdown] lang="zh-TW"
# ## 6 · 繼續之前
#
# 不計分，但每題值得花兩分鐘：
#
# 1. 把（副本裡的）某一個權重乘以 20，再跑一次 2–8 位元的比較。哪種粒度受害最深？哪種最輕？
# 2. 改成對**行**（column，`axis=1`）量化，而不是對列。對這一層來說哪個比較好？為什麼快速的運算核心沒辦法用
#    它？
# 3. 對稱的縮放係數取最大絕對值。如果取小一點，讓少數權重被截斷，4 位元的 SQNR 會不會更好？（第 4 份筆記本會
#    把它變成一種方法。）
#
# **延伸閱讀**
#
# - B. Jacob 等人，*Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
#   Inference*，CVPR 2018，[arXiv:1712.05877][jacob]：仿射映射，以及為什麼 0 必須精確（2.1 節）。
# - NVIDIA TensorRT，[*Working with Quantized Types*][tensorrt]：對稱的縮放係數，逐張量、逐通道與逐區塊。
# - OpenVINO，[*Basic Quantization Flow*][openvino]：同樣的步驟，變成一次函式庫呼叫。
#
# **下一步：** 第 02 份筆記本連激活值也量化，縮放係數來自校準資料，並且用整數計算。
#
# [jacob]: https://arxiv.org/abs/1712.05877
# [tensorrt]: https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-with-quantized-types.html
# [openvino]: https://docs.openvino.ai/2025/openvino-workflow/model-optimization-guide/quantizing-models-post-training/basic-quantization-flow.html
