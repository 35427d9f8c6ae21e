# %% [markdown] lang="en"
# # Lab 02 · Static quantization end to end
#
# *Lab 3.1 Post-Training Quantization, notebook 2 of 5 · 25 points · 75–100 minutes*
#
# In notebook 01 the weights became integers, and every multiplication was still done on floats. To compute
# in integers, the *activations* must be integers, too. But a weight lies still and can be measured, while an
# activation does not exist before somebody asks the model something. **Static** quantization settles its
# scale beforehand: it shows the model a few typical inputs (*calibration*), notes what range each layer sees,
# and fixes the scales for good.
#
# You will be able to
#
# - write calibrators, and attach them to every linear layer of a model without changing the model;
# - compute a linear layer in integers, exactly, with a zero point, and scale the result once at the end;
# - quantize a whole BERT classifier to a file a quarter of the size, and load it in another process;
# - show what happens when the calibration data don't look like the data to come.
#
# **How to work.** As in notebook 01: replace `# Your code here.` and the `raise` below it, run the cell, run
# the `check` cell below it.

# %% [markdown] lang="zh-TW"
# # Lab 02 · 靜態量化：從頭到尾
#
# Lab 3.1 訓練後量化實戰，第 2 份筆記本（共 5 份）· 25 分 · 75–100 分鐘
#
# 在第 01 份筆記本裡，權重變成了整數，但乘法仍然是用浮點數做的。要用整數計算，**激活值**也必須是整數。問題是：權重
# 放在那裡隨時可以量，激活值卻要等到有人對模型提問才會出現。**靜態**量化事先決定它的縮放係數：先拿少量典型的輸入給
# 模型看（**校準**，calibration），記下每一層看到的範圍，然後把縮放係數固定下來。
#
# 完成之後，你將能夠
#
# - 寫出校準器，裝到模型的每個線性層上，而不改動模型；
# - 用整數精確計算一個線性層，處理零點，最後才乘一次縮放係數；
# - 把整個 BERT 分類器量化成四分之一大小的檔案，再從另一個行程載入；
# - 展示校準資料和之後的資料不像時，會發生什麼事。
#
# **進行方式。** 和第 01 份筆記本一樣：把 `# Your code here.` 和下面的 `raise` 換成你的程式，執行它，再執行下方的
# `check`。

# %% [markdown] lang="en"
# ## 1 · The pipeline
#
# ```
# float model ──► calibrate ──► quantize ──► save ──► load elsewhere ──► predict
#                 a few batches   weights once, activation scales fixed
# ```
#
# | what | stored as | scale | why |
# |---|---|---|---|
# | weights of linear layers | `int8`, symmetric | one for each output channel | they lie around zero; rows differ in size |
# | inputs of linear layers | `uint8`, asymmetric | one for each layer, calibrated | often lopsided: GELU stays above −0.17 |
# | embeddings | `int8`, symmetric | one for each row | they only look rows up |
# | biases, LayerNorm, softmax, GELU | float32 | – | a few thousand numbers, and sensitive |
#
# **Static or dynamic?** With fixed scales the hardware need not look at an activation before it multiplies it:
# no maximum, no waiting, and the same time for every input. That is why phones, cameras and NPUs want static
# quantization. The price is the calibration data: what they don't show, the scales don't cover. Notebook 03
# pays another price for needing none.

# %% [markdown] lang="zh-TW"
# ## 1 · 整個流程
#
# ```
# 浮點模型 ──► 校準 ──► 量化 ──► 儲存 ──► 在別處載入 ──► 預測
#             少量資料    權重量化一次，激活值的縮放係數固定
# ```
#
# | 對象 | 儲存型別 | 縮放係數 | 理由 |
# |---|---|---|---|
# | 線性層的權重 | `int8`，對稱 | 每個輸出通道一個 | 大致以零為中心；各列大小不同 |
# | 線性層的輸入 | `uint8`，非對稱 | 每層一個，來自校準 | 往往偏向一邊：GELU 的輸出不會低於 −0.17 |
# | 嵌入層 | `int8`，對稱 | 每列一個 | 只是查表 |
# | 偏差、LayerNorm、softmax、GELU | float32 | – | 只有幾千個數，而且敏感 |
#
# **靜態還是動態？** 縮放係數固定，硬體就不必先看過激活值才能相乘：不用找最大值、不用等待，每筆輸入的時間都一樣。所
# 以手機、攝影機和 NPU 偏好靜態量化。代價是校準資料：資料裡沒出現的，縮放係數就涵蓋不到。第 03 份筆記本不需要校準資
# 料，但要付另一種代價。

# %% [markdown] lang="en"
# ## 2 · Setup
#
# A small BERT, really trained: it reads a passage of Python's documentation and says which of eight families
# of modules it is about. Width 256, 4 layers, 3.5 million parameters. Its real relatives run through the same
# code: `load_model("bert-base-uncased")`, or the folder of any BERT checkpoint that you have.
#
# A *batch* is a dict of tensors, and a model is called as `model(**batch)`.

# %% [markdown] lang="zh-TW"
# ## 2 · 環境設定
#
# 這是一個真的訓練過的小 BERT：讀一段 Python 說明文件，判斷它屬於八類模組中的哪一類。寬度 256，4 層，350 萬個參數。換
# 成真正的大模型，同樣的程式也能跑：`load_model("bert-base-uncased")`，或任何 BERT 模型的資料夾。
#
# 一個**批次**（batch）是由張量組成的字典，呼叫模型時寫成 `model(**batch)`。

# %%
import contextlib
import copy
import json
import time
from pathlib import Path

import torch
import transformers
from IPython.display import display
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from autograder.lab import (
    accuracy,
    batches,
    check,
    compare,
    load_batches,
    load_layer,
    load_model,
    load_tokenizer,
    log_experiment,
    plot_comparison,
    plot_input_ranges,
    plot_progress,
)

bert = load_model("tiny-bert")
calibration = batches(load_batches("tiny-bert", "calibration"), count=4, size=16)
evaluation = batches(load_batches("tiny-bert", "evaluation"), count=8, size=16, labels=True)
linears = [name for name, layer in bert.named_modules() if isinstance(layer, nn.Linear)]
print(f"{type(bert).__name__}: {sum(p.numel() for p in bert.parameters()):,} parameters, {len(linears)} linear layers")
print(f"accuracy in float32: {accuracy(bert, evaluation):.1%} of {sum(len(b['labels']) for b in evaluation)} texts")
print({key: list(value.shape) for key, value in calibration[0].items()})

# %% [markdown] lang="en"
# The two guards of notebook 01, given again.

# %% [markdown] lang="zh-TW"
# 第 01 份筆記本的兩個檢查函式，這裡直接給你。


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
# ## Task 2.1 · A calibrator
#
# A calibrator looks at tensors one after the other and, when asked, answers with a scale and a zero point.
# The simplest one remembers the least and the largest value that it has ever seen. The rules are those of
# notebook 01:
#
# | | range | scale | zero point |
# |---|---|---|---|
# | asymmetric | $lo = \min(x_{min}, 0)$, $hi = \max(x_{max}, 0)$ | $(hi - lo) / (2^b - 1)$ | clamp(round($-lo/s$)) |
# | symmetric | $\max\lvert x\rvert$ | $\max\lvert x\rvert / (2^{b-1}-1)$ | 0 |
#
# By hand, 8 bits: it observes `[0.0, 1.53]` and then `[−1.02, 0.4]`. Together that is −1.02 to 1.53, the
# scale 2.55 / 255 = 0.01 and the zero point round(102) = 102. In the other order, or in one piece, the answer
# is the same: the least of all values does not depend on how they were split. An *average* of the two
# batches' ranges would.
#
# The rules: asymmetric is the default; the zero point is an integer. The scale is a `float32` tensor of one
# element, also for half-precision data, and lives where the data live. The range always contains 0. If everything was zero, the scale is still finite and positive.
# `bits` must be an int from 2 to 8 (`ValueError`), a tensor that is empty or holds NaN or infinity is refused
# by `observe` (`ValueError`), and a calibrator that was never shown anything can't answer (`RuntimeError`).
# One more thing to think about: a calibrator that keeps *all* tensors needs as much memory as there are data.

# %% [markdown] lang="zh-TW"
# ## 任務 2.1 · 校準器
#
# 校準器一個接一個地看張量，被問到時回答縮放係數和零點。最簡單的一種，就是記住看過的最小值和最大值。規則和第 01 份筆
# 記本一樣：
#
# | | 範圍 | 縮放係數 | 零點 |
# |---|---|---|---|
# | 非對稱 | $lo = \min(x_{min}, 0)$、$hi = \max(x_{max}, 0)$ | $(hi - lo) / (2^b - 1)$ | clamp(round($-lo/s$)) |
# | 對稱 | $\max\lvert x\rvert$ | $\max\lvert x\rvert / (2^{b-1}-1)$ | 0 |
#
# 手算一次，8 位元：先看到 `[0.0, 1.53]`，再看到 `[−1.02, 0.4]`。合起來是 −1.02 到 1.53，縮放係數 2.55 / 255 = 0.01，零點
# round(102) = 102。順序對調，或一次全部給它，答案都相同：所有值的最小值，和它們怎麼分批無關。如果是把兩批的範圍取**平
# 均**，就不是這樣了。
#
# 規則：預設是非對稱，零點是整數。縮放係數是只有一個元素的 `float32` 張量，輸入是半精度時也一樣，並且留在資料所在的裝置上。範圍一定包含 0。看到的
# 全是零時，縮放係數仍然是有限的正數。`bits` 必須是 2 到 8 的整數（`ValueError`）；張量是空的、或含有 NaN 或無限大，
# `observe` 要拒絕（`ValueError`）；什麼都沒看過的校準器無法回答（`RuntimeError`）。還有一件事值得想：如果校準器把**所有**
# 張量都留著，資料有多少，就要多少記憶體。


# %%
class MinMaxCalibrator:
    """Finds the scale and the zero point for everything that it is shown, from the least and the largest value."""

    def __init__(self, bits=8, symmetric=False):
        ### BEGIN SOLUTION
        require_bits(bits)
        self.bits, self.symmetric = bits, symmetric
        self.lo = self.hi = None
        ### END SOLUTION

    def observe(self, tensor):
        """Look at a tensor of any shape and floating dtype; may be called any number of times.

        raises ValueError: tensor empty, or with NaN or infinity
        """
        ### BEGIN SOLUTION
        require_finite(tensor)
        lo, hi = tensor.detach().float().aminmax()
        self.lo = lo if self.lo is None else torch.minimum(self.lo, lo)
        self.hi = hi if self.hi is None else torch.maximum(self.hi, hi)
        ### END SOLUTION

    def quantization_parameters(self):
        """(scale, zero_point): scale float32 with one element; zero_point an int or a 0-dim integer tensor.

        raises RuntimeError: nothing was observed yet
        """
        ### BEGIN SOLUTION
        if self.lo is None:
            raise RuntimeError("show the calibrator some data first: observe(tensor)")
        lo, hi = self.lo.clamp(max=0.0), self.hi.clamp(min=0.0)
        if self.symmetric:
            return _usable(torch.maximum(-lo, hi) / (2 ** (self.bits - 1) - 1)), 0
        highest = 2**self.bits - 1
        scale = _usable((hi - lo) / highest)
        return scale, torch.round(-lo / scale).clamp(0, highest).to(torch.int32)
        ### END SOLUTION


### BEGIN SOLUTION
def _usable(scale):
    """`scale`, with 1 where it is 0: zeros have no range, and 0 / 0 would be NaN."""
    return scale.masked_fill(scale == 0, 1.0)


### END SOLUTION

# %%
check("2.1")

# %% [markdown] lang="en"
# ## Task 2.2 · Another calibrator (given)
#
# A worked example, not graded. One strange batch makes the range of `MinMaxCalibrator` wide for ever. This
# one lets each batch pull the range only a little of the way: with momentum 0.9, nine tenths of what was
# known stay. It then asks *your* calibrator to turn the two ends into a scale and a zero point.
#
# It answers differently when the batches come in another order, and it may end up narrower than what really
# occurred: values beyond its range saturate. Whether that is better or worse depends on the data. TensorFlow
# and PyTorch use it when a model is trained with quantization, where ranges drift.

# %% [markdown] lang="zh-TW"
# ## 任務 2.2 · 另一種校準器（現成）
#
# 這是範例，不計分。只要有一批奇怪的資料，`MinMaxCalibrator` 的範圍就永遠變寬了。下面這一種讓每一批只把範圍拉動一小段：
# momentum 是 0.9 時，原來的結果保留九成。最後它請**你的**校準器把兩端換成縮放係數和零點。
#
# 批次的順序不同，它的答案就不同；而且範圍可能比實際出現過的還窄，超出的值會飽和。這是好是壞，要看資料。TensorFlow 和
# PyTorch 在量化感知訓練時用它，因為訓練中範圍會慢慢移動。


# %%
class MovingAverageCalibrator:
    """Like MinMaxCalibrator, but its range is an exponential moving average of the batches' ranges."""

    def __init__(self, bits=8, symmetric=False, momentum=0.9):
        self.bits, self.symmetric, self.momentum = bits, symmetric, momentum
        self.ends = None  # [2]: the averaged least and largest value

    def observe(self, tensor):
        require_finite(tensor)
        ends = torch.stack([tensor.min(), tensor.max()]).float()
        self.ends = ends if self.ends is None else self.momentum * self.ends + (1 - self.momentum) * ends

    def quantization_parameters(self):
        result = MinMaxCalibrator(self.bits, self.symmetric)
        if self.ends is not None:
            result.observe(self.ends)
        return result.quantization_parameters()


stream = [torch.tensor([-1.0, 2.0]), torch.tensor([-1.1, 1.9]), torch.tensor([-0.9, 30.0]), torch.tensor([-1.0, 2.1])]
for kind in (MinMaxCalibrator, MovingAverageCalibrator):
    calibrator = kind()
    for tensor in stream:
        calibrator.observe(tensor)
    scale, zero_point = calibrator.quantization_parameters()
    print(
        f"{kind.__name__:24} from {-float(scale) * int(zero_point):6.2f} to {float(scale) * (255 - int(zero_point)):6.2f}"
    )

# %% [markdown] lang="en"
# One batch of four held a 30. MinMax makes room for it, and everybody else gets steps of 0.12; the moving
# average cuts it off at about 5. Which one would you want if 30 was a mistake in the data? And if it was the
# one input that matters?
#
# ## Task 2.3 · Calibrate a model
#
# How do you look at what a layer is given, without rewriting the model? PyTorch lets you attach a *hook*:
#
# - `layer.register_forward_pre_hook(f)` makes the layer call `f(layer, args)` before each forward pass;
#   `args` is the tuple of its positional arguments, so its input is `args[0]`. Return nothing from `f`.
# - It returns a handle, and `handle.remove()` takes the hook off again.
#
# `calibrate_model` runs all `batches` through the model and returns
# `{layer name: (scale, zero_point)}` for the **input** of every `nn.Linear`:
#
# - `make_calibrator()` makes a calibrator: each layer needs one of its own. Show it each input once.
# - The name is the one in `model.named_modules()`. A layer that is never called is left out (nothing is known
#   about its input), one that is called several times in a pass sees all its inputs.
# - Calibration measures the model as it will be used: in eval mode (dropout off) and without gradients.
# - Whoever lends you a model wants it back as it was: the same mode, the same `requires_grad`, the hooks that
#   were there before, and **none of yours left behind, even when a batch raises an error**. What does
#   `finally` do? The batches are lent, too.

# %% [markdown] lang="zh-TW"
# 四批裡有一批出現了 30。MinMax 為它留位置，其他值的間隔就變成 0.12；移動平均則在 5 左右把它截斷。如果 30 是資料裡的錯
# 誤，你想要哪一種？如果它正是最重要的那筆輸入呢？
#
# ## 任務 2.3 · 校準一個模型
#
# 怎麼看到一個層收到什麼輸入，而不必改寫模型？PyTorch 可以掛上**鉤子**（hook）：
#
# - `layer.register_forward_pre_hook(f)` 讓這個層在每次前向傳播之前先呼叫 `f(layer, args)`；`args` 是位置引數組成的
#   tuple，所以輸入就是 `args[0]`。`f` 不要回傳任何東西。
# - 它會回傳一個 handle，`handle.remove()` 可以把鉤子拿掉。
#
# `calibrate_model` 把所有 `batches` 跑過模型，對每個 `nn.Linear` 的**輸入**回傳
# `{layer name: (scale, zero_point)}`：
#
# - `make_calibrator()` 會做出一個校準器：每層都要有自己的一個。每個輸入給它看一次。
# - 名稱就是 `model.named_modules()` 裡的名稱。從來沒被呼叫的層不列入（對它的輸入一無所知）；一次前向傳播裡被呼叫好幾次
#   的層，每次的輸入都要看到。
# - 校準要量的是模型上線時的樣子：eval 模式（關掉 dropout），不算梯度。
# - 別人借你模型，還回去時要和原來一樣：同樣的模式、同樣的 `requires_grad`、原本就有的鉤子，而且**即使某個批次
#   出錯，也不可以留下你掛上的任何鉤子**。想想 `finally` 的作用。批次也是借來的。


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
        for part, training in modes.items():
            part.training = training


### END SOLUTION
def calibrate_model(model, batches, make_calibrator):
    """Scale and zero point for the input of every linear layer that is called, from calibration data.

    model            left as it was
    batches          a sequence of dicts of tensors, each for a call model(**batch)
    make_calibrator  a function without arguments that returns a new calibrator
    returns          {layer name: (scale, zero_point)}
    """
    ### BEGIN SOLUTION
    calibrators, hooks = {}, []

    def watch(name, layer):
        def look(_, args):
            if name not in calibrators:
                calibrators[name] = make_calibrator()
            calibrators[name].observe(args[0])

        hooks.append(layer.register_forward_pre_hook(look))

    try:
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Linear):
                watch(name, layer)
        with _evaluating(model):
            for batch in batches:
                model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: calibrator.quantization_parameters() for name, calibrator in calibrators.items()}
    ### END SOLUTION


# %%
check("2.3")

# %% [markdown] lang="en"
# **What the layers see.** Each bar is the range of one layer's input over the calibration data. Note which
# are lopsided: the second linear layer of each feed-forward block gets what GELU lets through. A symmetric
# `int8` would waste almost half of its levels there.

# %% [markdown] lang="zh-TW"
# **各層看到什麼。** 每條線是一個層的輸入在校準資料上的範圍。注意哪些偏向一邊：每個前饋區塊的第二個線性層，收到的是
# GELU 放行的東西。在那裡用對稱的 `int8`，幾乎會浪費一半的級數。

# %%
measured = calibrate_model(bert, calibration, MinMaxCalibrator)
plot_input_ranges({"64 texts": measured})

# %% [markdown] lang="en"
# ## Task 2.4 · A linear layer in integers
#
# Let $s_x, z$ be the scale and the zero point of the input, and $s_o$ the scale of output channel $o$.
# Insert $x \approx s_x (q^x - z)$ and $w \approx s_o q^w$ into $y = Wx + b$; both scales are constant within
# the sum and come out of it:
#
# $$y_o = \sum_i s_x (q^x_i - z)\, s_o\, q^w_{o,i} + b_o
# = s_x\, s_o \underbrace{\sum_i (q^x_i - z)\, q^w_{o,i}}_{\text{whole numbers}} + b_o$$
#
# By hand: the input `[0.5, −0.25, 1.0]` with scale 0.01 and zero point 50 becomes the codes
# `[100, 25, 150]`, and without the zero point `[50, −25, 100]`. The weight row `[1.27, 0.5, −0.3]` (scale
# 0.01) has the codes `[127, 50, −30]`. The sum is 6350 − 1250 − 3000 = 2100, times 0.01 · 0.01 is 0.21, and
# with a bias of 0.1 the output is 0.31.
#
# Forgetting $z$ is the classic mistake: every output is then off by $s_x s_o z \sum_i q^w_{o,i}$, a
# constant for each channel, which looks like a wrong bias. (Fast kernels compute $\sum q^x q^w$ and subtract
# exactly this constant, prepared in advance.)
#
# **How exact is exact?** One product is at most 255 · 127 = 32,385, and the sums grow:
#
# | summed in | exact up to | enough for how many inputs |
# |---|---|---|
# | `int8` | 127 | none: it wraps around at once |
# | `float32` | 2^24 = 16.8 million | 518 |
# | `int32` (what hardware does) | 2^31 | 66,000 |
# | `float64`, `int64` | 2^53 and more | any |
#
# Beyond 2^24, float32 can't tell 16,777,217 from 16,777,216. So multiply in `float64` (fast on CPUs, exact
# here) or in an integer dtype. On a GPU, PyTorch multiplies no integer matrices (but int8, by `torch._int_mm`):
# `float64` runs everywhere.
#
# The rules for `StaticQuantizedLinear.from_float(linear, input_scale, input_zero_point)`:
#
# - inputs `[..., in]` become `uint8`, 0 to 255, with the *given* scale and zero point: whatever lies outside
#   the calibrated range saturates. Never look at the range of the new data;
# - weights are `int8`, symmetric, one scale for each output channel; a channel of zeros is legal;
# - the layer holds the weight as one `int8` parameter or buffer of `out · in` elements and **no float copy**;
# - the bias stays float and is added last; there may be none;
# - all that a forward pass needs is in the `state_dict` (`self.register_buffer("name", tensor)`), so that it
#   can be saved. The zero point may come as an `int` or as a 0-dim tensor.

# %% [markdown] lang="zh-TW"
# ## 任務 2.4 · 用整數計算的線性層
#
# 設 $s_x$、$z$ 是輸入的縮放係數與零點，$s_o$ 是輸出通道 $o$ 的縮放係數。把 $x \approx s_x (q^x - z)$ 和
# $w \approx s_o q^w$ 代入 $y = Wx + b$；兩個縮放係數在加總裡都是常數，可以提到外面：
#
# $$y_o = \sum_i s_x (q^x_i - z)\, s_o\, q^w_{o,i} + b_o
# = s_x\, s_o \underbrace{\sum_i (q^x_i - z)\, q^w_{o,i}}_{\text{whole numbers}} + b_o$$
#
# 手算一次：輸入 `[0.5, −0.25, 1.0]`，縮放係數 0.01，零點 50，整數碼是 `[100, 25, 150]`，減去零點是 `[50, −25, 100]`。權重
# 的一列 `[1.27, 0.5, −0.3]`（縮放係數 0.01）整數碼是 `[127, 50, −30]`。總和是 6350 − 1250 − 3000 = 2100，乘上
# 0.01 · 0.01 得 0.21，再加上偏差 0.1，輸出是 0.31。
#
# 忘記 $z$ 是經典的錯誤：每個輸出都會差 $s_x s_o z \sum_i q^w_{o,i}$，每個通道是一個常數，看起來就像偏差不對。（快速的運
# 算核心先算 $\sum q^x q^w$，再減去這個事先準備好的常數。）
#
# **多精確才算精確？** 一個乘積最多 255 · 127 = 32,385，加總會越來越大：
#
# | 用什麼加總 | 精確到 | 夠多少個輸入用 |
# |---|---|---|
# | `int8` | 127 | 一個都不夠：立刻繞回 |
# | `float32` | 2^24 = 1,680 萬 | 518 |
# | `int32`（硬體的做法） | 2^31 | 66,000 |
# | `float64`、`int64` | 2^53 以上 | 再多都行 |
#
# 超過 2^24，float32 就分不出 16,777,217 和 16,777,216。所以請用 `float64`（CPU 上很快，在這裡是精確的）或整數型別做乘法。
# 在 GPU 上，PyTorch 不做整數矩陣乘法（只有 `torch._int_mm` 能乘 int8）：`float64` 到處都能跑。
#
# `StaticQuantizedLinear.from_float(linear, input_scale, input_zero_point)` 的規則：
#
# - 輸入 `[..., in]` 用**給定的**縮放係數和零點變成 `uint8`（0 到 255）：超出校準範圍的值會飽和。永遠不要看新資料的範圍；
# - 權重是 `int8`，對稱，每個輸出通道一個縮放係數；整個通道都是零也合法；
# - 這個層用一個有 `out · in` 個元素的 `int8` 參數或 buffer 儲存權重，**不留浮點副本**；
# - 偏差保持浮點數，最後才加；也可能沒有偏差；
# - 前向傳播需要的一切都在 `state_dict` 裡（`self.register_buffer("name", tensor)`），才存得下來。零點可能是 `int`，也可能是
#   0 維張量。


# %%
### BEGIN SOLUTION
def _codes_by_row(weight):
    """(int8 codes shaped like `weight` [rows, width], float32 scale [rows]), symmetric."""
    weight = weight.detach().float()
    scale = _usable(weight.abs().amax(dim=1) / 127)
    return torch.round(weight / scale.unsqueeze(1)).clamp(-128, 127).to(torch.int8), scale


### END SOLUTION
class StaticQuantizedLinear(nn.Module):
    """A linear layer that multiplies integers: int8 weights, uint8 inputs with a scale that is known beforehand.

    `from_float` makes it. What the constructor takes, and what its tensors are called, is up to you.
    """

    def __init__(self, codes, weight_scale, input_scale, input_zero_point, bias):
        super().__init__()
        ### BEGIN SOLUTION
        device = codes.device
        self.register_buffer("weight", codes)  # int8 [out, in]
        self.register_buffer("weight_scale", weight_scale)  # float32 [out]
        self.register_buffer("input_scale", torch.as_tensor(input_scale, dtype=torch.float32, device=device).clone())
        self.register_buffer("input_zero_point", torch.as_tensor(input_zero_point, dtype=torch.int32, device=device))
        self.register_buffer("bias", None if bias is None else bias.detach().float().clone())
        ### END SOLUTION

    @classmethod
    def from_float(cls, linear, input_scale, input_zero_point):
        """The quantized layer for an nn.Linear.

        linear            weight [out, in], bias [out] or None; left as it was
        input_scale       float32 tensor with one element
        input_zero_point  int, or 0-dim integer tensor, 0 to 255
        """
        ### BEGIN SOLUTION
        codes, scale = _codes_by_row(linear.weight)
        return cls(codes, scale, input_scale, input_zero_point, linear.bias)
        ### END SOLUTION

    def forward(self, x):
        """The output, float32 [..., out], for x [..., in]."""
        ### BEGIN SOLUTION
        levels = torch.round(x.float() / self.input_scale) + self.input_zero_point
        codes = levels.clamp(0, 255).to(torch.uint8)
        exact = torch.float32 if codes.shape[-1] * 255 * 128 < 2**24 else torch.float64
        steps = codes.to(exact) - self.input_zero_point
        sums = steps @ self.weight.to(exact).T  # whole numbers, without rounding
        y = (sums * (self.input_scale * self.weight_scale)).float()
        return y if self.bias is None else y + self.bias
        ### END SOLUTION


# %%
check("2.4")

# %% [markdown] lang="en"
# **On a real layer.** Quantize one layer of the model with the parameters that you calibrated, and compare
# its output with the float layer's on new texts. The last line drops the zero point on purpose.

# %% [markdown] lang="zh-TW"
# **用在真正的層上。** 用你校準得到的參數量化模型中的一層，拿新的文字，和浮點層的輸出比較。最後一行故意把零點拿掉。

# %%
name = "bert.encoder.layer.0.attention.self.query"  # the first linear layer: it reads the embeddings
layer, (scale, zero_point) = bert.get_submodule(name), measured[name]
with torch.no_grad():
    x = bert.bert.embeddings(input_ids=evaluation[0]["input_ids"])  # [rows, tokens, in]
    wanted = layer(x)
    for title, used in (("with its zero point", zero_point), ("with zero point 0", 0)):
        found = StaticQuantizedLinear.from_float(layer, scale, used)(x)
        print(f"{title:20} relative error {(found - wanted).norm() / wanted.norm():.4f}")

# %% [markdown] lang="en"
# ## Task 2.5 · A whole model
#
# `quantize_model_static(model, batches)` returns a copy of the model in which
#
# - every `nn.Linear` is a `StaticQuantizedLinear`, with the scales that calibration on `batches` gives;
# - every `nn.Embedding` is stored as `int8`, symmetric, one scale for each row. It only looks rows up, so there
#   is no activation to quantize: it returns codes times scale, `float32 [..., width]` for ids `[...]`.
#
# A language model's head may be *tied*: its weight is the embedding's. Both are quantized by rows, so the two can
# share their integers and scales as they shared the floats.
#
# `model.get_submodule(name)` and `model.set_submodule(name, new)` read and replace a part by its name. Make
# the list of names before you begin to replace: a dictionary must not change while it is walked.
#
# **How it is judged: the artifact rule.** Your function quantizes a model that nobody has seen, and the
# grader writes down its `state_dict`. Then a *new* process starts that has your code and this file, and
# nothing else. There, your function quantizes an *untrained* model of the same architecture with random
# batches, the file is loaded into it (`load_state_dict`, strictly), and it predicts on texts that the first
# process never saw. So all that matters must stand in the `state_dict`, under the same names for every model
# of an architecture.
#
# - The file must be at least **3.5 times** smaller than the float model's (4 is the limit for int8).
# - **98 %** of the predictions must be the float model's, and the outputs close to the float model's: the KL
#   divergence at most 1.5 times that of the reference solution, which uses nothing but the tasks above.

# %% [markdown] lang="zh-TW"
# ## 任務 2.5 · 整個模型
#
# `quantize_model_static(model, batches)` 回傳模型的一份副本，其中
#
# - 每個 `nn.Linear` 都換成 `StaticQuantizedLinear`，縮放係數來自用 `batches` 做的校準；
# - 每個 `nn.Embedding` 用 `int8` 儲存，對稱，每列一個縮放係數。它只是查表，沒有激活值要量化：輸入編號 `[...]`，回傳整數碼
#   乘上縮放係數，`float32 [..., width]`。
#
# 語言模型的輸出層可能與嵌入層共用權重（tied）。兩者都是逐列量化，所以整數碼和縮放係數也能像原本的浮點權重一樣共用。
#
# `model.get_submodule(name)` 和 `model.set_submodule(name, new)` 依名稱讀取與替換一個部分。先把名稱列好再開始替換：走訪
# 字典時不可以改動它。
#
# **怎麼評分：成品規則（artifact rule）。** 你的函式會量化一個沒人看過的模型，評分程式記下它的 `state_dict`。接著啟動一個
# **新的**行程，裡面只有你的程式和這個檔案。在那裡，你的函式用隨機的批次量化一個同架構、**未訓練**的模型，把檔案嚴格載入
# （`load_state_dict`），再對前一個行程沒看過的文字做預測。所以重要的東西都要在 `state_dict` 裡，而且同架構的模型名稱要一
# 致。
#
# - 檔案至少要比浮點模型小 **3.5 倍**（int8 的極限是 4 倍）。
# - **98 %** 的預測要和浮點模型相同，輸出也要接近：KL 散度最多是參考解答的 1.5 倍，而參考解答只用到前面幾個任務。


# %%
### BEGIN SOLUTION
class QuantizedEmbedding(nn.Module):
    """An embedding with int8 rows, one scale for each."""

    def __init__(self, codes, scale):
        super().__init__()
        self.register_buffer("weight", codes)  # int8 [rows, width]
        self.register_buffer("weight_scale", scale)  # float32 [rows]

    @classmethod
    def from_float(cls, embedding):
        return cls(*_codes_by_row(embedding.weight))

    def forward(self, ids):
        return self.weight[ids] * self.weight_scale[ids].unsqueeze(-1)


def _with_quantized_layers(model, parameters):
    """A copy of `model`: its embeddings in int8, and the linear layers of `parameters` {name: (scale, zero point)}."""
    quantized, codes = copy.deepcopy(model), {}
    for name, module in list(quantized.named_modules()):
        if name in parameters:
            layer = StaticQuantizedLinear.from_float(module, *parameters[name])
        elif isinstance(module, nn.Embedding):
            layer = QuantizedEmbedding.from_float(module)
        else:
            continue
        # layers that share their float weight, as a tied head does with the embedding, share their integers, too
        layer.weight, layer.weight_scale = codes.setdefault(module.weight, (layer.weight, layer.weight_scale))
        quantized.set_submodule(name, layer)
    return quantized


def _say_what_stays_float(model):
    """Print which layers keep a float matrix: another kind than these two, or one that calibration never saw called."""
    left = {
        name: type(module).__name__
        for name, module in model.named_modules()
        if any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))
    }
    if left:
        print(f"{len(left)} layers stay in float ({', '.join(sorted(set(left.values())))}): {', '.join(left)}")


### END SOLUTION
def quantize_model_static(model, batches):
    """A copy of the model with static int8 linear layers, and embeddings in int8 by rows.

    model    float weights; left as it was
    batches  calibration data: a sequence of dicts of tensors
    returns  nn.Module, called as the model is; its state_dict holds all that a forward pass needs
    """
    ### BEGIN SOLUTION
    quantized = _with_quantized_layers(model, calibrate_model(model, batches, MinMaxCalibrator))
    _say_what_stays_float(quantized)
    return quantized
    ### END SOLUTION


# %%
check("2.5")

# %% [markdown] lang="en"
# ## Task 2.6 · Save it, load it
#
# A `state_dict` alone doesn't say which model it belongs to. In production a *file* goes to another machine,
# and there it must become a model again. PyTorch's own `torch.save` writes a pickle, and loading a pickle
# can run any code that somebody put into it. **safetensors** holds nothing but tensors and a header of
# strings, so it is safe to open, quick to load, and everybody reads it.
#
# `save_quantized(model, path)` writes **one** safetensors file at exactly that path (a string): all tensors
# of your quantized model, and as metadata (a dict of strings) what is needed to build the architecture again:
#
# - the name of the transformers class: `type(model).__name__`, here `"BertForSequenceClassification"`, but
#   another model has another class;
# - its configuration as JSON: `model.config.to_json_string()`.
#
# `load_quantized(path)` returns the model, in a process that knows nothing else:
#
# 1. open the file: `with safe_open(path, "pt") as file:` gives `file.metadata()`, `file.keys()` and
#    `file.get_tensor(name)`;
# 2. build an untrained model: the class is `getattr(transformers, name)`, and
#    `kind.config_class.from_dict(json.loads(text))` its configuration;
# 3. put your own layers where they belong (which layers? look at the names in the file), and load the tensors.
#
# The outputs must be the same as before saving (to 1e-6), and the file at least 3.5 times smaller than the
# float model's. Task 2.6 takes your own 2.5 as it is: that its predictions follow the float model's is asked far
# more loosely than in 2.5. safetensors refuses to write two names for one memory: if a tied head shares its
# integers with the embedding, write them once, and the metadata says the rest.

# %% [markdown] lang="zh-TW"
# ## 任務 2.6 · 儲存與載入
#
# 光有 `state_dict`，看不出它屬於哪個模型。實際部署時，送到另一台機器的是**檔案**，到了那裡要能再變回模型。PyTorch 的
# `torch.save` 寫的是 pickle，而載入 pickle 時，別人放進去的任何程式碼都可能被執行。**safetensors** 只有張量和一段字串標
# 頭，打開它很安全，載入很快，而且大家都能讀。
#
# `save_quantized(model, path)` 在指定的路徑（字串）寫出**一個** safetensors 檔：量化模型的所有張量，加上重建架構所需的
# metadata（字串的字典）：
#
# - transformers 類別的名稱：`type(model).__name__`，這裡是 `"BertForSequenceClassification"`，換個模型就是另一個類別；
# - 設定（JSON）：`model.config.to_json_string()`。
#
# `load_quantized(path)` 在一個什麼都不知道的行程裡把模型還原：
#
# 1. 打開檔案：`with safe_open(path, "pt") as file:` 提供 `file.metadata()`、`file.keys()` 和 `file.get_tensor(name)`；
# 2. 建一個未訓練的模型：類別是 `getattr(transformers, name)`，設定是 `kind.config_class.from_dict(json.loads(text))`；
# 3. 把你自己的層放到該放的位置（哪些層？看檔案裡的名稱），再載入張量。
#
# 輸出要和儲存前相同（誤差 1e-6 以內），檔案至少要比浮點模型小 3.5 倍。任務 2.6 直接使用你自己的 2.5；
# 預測只要大致跟得上浮點模型，標準比 2.5 寬鬆得多。safetensors 不允許兩個名稱共用同一塊記憶體：如果輸出層與嵌入層共用整數
# 碼，就只寫一次，其餘的寫在 metadata 裡。


# %%
def save_quantized(model, path):
    """Write a quantized model into one safetensors file, with all that is needed to build it again.

    model  what quantize_model_static returned
    path   str, where the file goes
    """
    ### BEGIN SOLUTION
    tensors, tied, first = {}, {}, {}
    for name, tensor in model.state_dict().items():
        kept = first.setdefault(tensor.data_ptr(), name)  # what shares its memory is written once
        if kept == name:
            tensors[name] = tensor.contiguous()
        else:
            tied[name] = kept
    about = {"class": type(model).__name__, "config": model.config.to_json_string(use_diff=False)}
    save_file(tensors, path, metadata=about | {"tied": json.dumps(tied)})
    ### END SOLUTION


def load_quantized(path):
    """The model that `save_quantized` wrote to `path`, in eval mode.

    path     str
    returns  nn.Module: predicts what the saved model did
    """
    ### BEGIN SOLUTION
    with safe_open(path, "pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    kind = getattr(transformers, about["class"])
    untrained = kind(kind.config_class.from_dict(json.loads(about["config"])))
    static = [name.removesuffix(".input_scale") for name in tensors if name.endswith(".input_scale")]
    quantized = _with_quantized_layers(untrained, {name: (torch.tensor(1.0), 0) for name in static})
    quantized.load_state_dict(tensors | {name: tensors[kept] for name, kept in json.loads(about["tied"]).items()})
    return quantized.eval()
    ### END SOLUTION


# %%
check("2.6")

# %% [markdown] lang="en"
# ## Task 2.7 · How large is a model? (given)
#
# A worked example, not graded: the bytes of every parameter and buffer. Tensors that are one and the same
# memory count once: a language model's head is often *tied* to its embedding.

# %% [markdown] lang="zh-TW"
# ## 任務 2.7 · 模型有多大？（現成）
#
# 這是範例，不計分：所有參數與 buffer 的位元組數。同一塊記憶體的張量只算一次：語言模型的輸出層常常和嵌入層**共用**權重。


# %%
def get_model_size(model):
    """Bytes of a model's parameters and buffers; memory that is shared counts once."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


quantized = quantize_model_static(bert, calibration)
save_quantized(quantized, "tiny-bert-int8.safetensors")
print(f"float32 in memory: {get_model_size(bert) / 1e6:6.2f} MB")
print(f"int8 in memory:    {get_model_size(quantized) / 1e6:6.2f} MB")
print(f"int8 on disk:      {Path('tiny-bert-int8.safetensors').stat().st_size / 1e6:6.2f} MB")

# %% [markdown] lang="en"
# ## 3 · FP32 against INT8, and the calibration data
#
# Four models side by side: the float one, and yours calibrated on three kinds of data.
#
# - **64 texts** of the calibration split: what the model will get.
# - **one text** of them.
# - **only padding**: a single text that is nothing but `[PAD]`. It has the right shape and the right type, and
#   no function complains. How bad will it be? Guess before you run the cell.
#
# `compare` measures with the functions that you hand it. `compute_kl_div` is task 1.8: paste your own, or
# leave it out and miss its column. `seconds` times one forward pass, crudely; notebook 03 does it properly.

# %% [markdown] lang="zh-TW"
# ## 3 · FP32 對 INT8，以及校準資料
#
# 四個模型並列：浮點模型，和你的量化模型用三種資料校準的結果。
#
# - 校準資料中的 **64 段文字**：模型之後會收到的東西。
# - 其中的**一段文字**。
# - **只有補零**：一段全是 `[PAD]` 的文字。形狀對、型別對，沒有任何函式抱怨。會有多糟？執行之前先猜猜看。
#
# `compare` 用你交給它的函式來測量。`compute_kl_div` 是任務 1.8：貼上你自己的；不貼的話，表格就少一欄。`seconds` 只是粗略
# 地替一次前向傳播計時，第 03 份筆記本會好好地量。


# %%
def compute_kl_div(original_logits, quantized_logits):
    """Your own from notebook 01, task 1.8: paste it here."""
    ### BEGIN SOLUTION
    log_p, log_q = (logits.float().log_softmax(dim=-1) for logits in (original_logits, quantized_logits))
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    ### END SOLUTION


@torch.no_grad()
def seconds(model, batch):
    """One forward pass, timed once."""
    start = time.perf_counter()
    model(**batch)
    return time.perf_counter() - start


@torch.no_grad()
def logits_of(model, batches):
    """The logits of all rows, float32 [rows, classes]."""
    return torch.cat([model(**{k: v for k, v in batch.items() if k != "labels"}).logits for batch in batches])


def agreement(model, batches):
    """The share of rows for which the float model predicts the same."""
    return (logits_of(model, batches).argmax(-1) == logits_of(bert, batches).argmax(-1)).float().mean().item()


one_text = [{key: value[:1] for key, value in calibration[0].items()}]
padding = load_tokenizer("tiny-bert").pad_token_id
padded = [{key: torch.full_like(value, 1 if "mask" in key else padding) for key, value in one_text[0].items()}]
kinds = {"64 texts": calibration, "one text": one_text, "only padding": padded}
models = {"float32": bert} | {f"int8, {name}": quantize_model_static(bert, data) for name, data in kinds.items()}
measures = {
    "size": get_model_size,
    "latency": seconds,
    "accuracy": accuracy,
    "agreement": agreement,
    "kl": compute_kl_div,
}
table = compare(models, evaluation, measures, name="lab 02, calibration data")
display(table)

# %%
plot_comparison(table)

# %% [markdown] lang="en"
# Where does the difference come from? From the ranges that each calibration has found, layer by layer:

# %% [markdown] lang="zh-TW"
# 差別從哪裡來？來自每一種校準在每一層找到的範圍：

# %%
plot_input_ranges({name: calibrate_model(bert, data, MinMaxCalibrator) for name, data in kinds.items()})

# %% [markdown] lang="en"
# What to see:
#
# - **Size**: close to 4 times smaller. Scales, biases and LayerNorms stay in float and take the rest.
# - **Padding alone was almost good enough**, and only KL notices. That is luck with a reason: before nearly
#   every linear layer of a BERT stands a LayerNorm, which brings any text to about the same range.
# - **Latency**: no gain, rather a loss. Our layers compute with integers *held in floats*. A real speed-up
#   needs a kernel that multiplies int8, and hardware that is fast at it (`ptqlab doctor` tells what yours
#   has): 1.6 to 1.9 times with AVX2 alone, when we measured ONNX Runtime on BERT and GPT-2; the handout's
#   2.5 times needs VNNI, AMX or a GPU.
#
# **Where nothing normalizes**, it goes wrong. The layer of notebook 01 sees its inputs as they come. Below it is
# calibrated on the right data, on the 8 quietest inputs, and on data in the wrong *unit*: ten or thirty times
# too small, as when somebody forgets a step of the preprocessing.

# %% [markdown] lang="zh-TW"
# 看出什麼：
#
# - **大小**：接近小 4 倍。縮放係數、偏差和 LayerNorm 仍是浮點數，占去剩下的部分。
# - **只有補零也幾乎夠用**，只有 KL 看得出差別。這份運氣是有原因的：BERT 幾乎每個線性層之前都有 LayerNorm，不管什麼文
#   字，都會被拉到差不多的範圍。
# - **延遲**：沒有變快，反而變慢。我們的層是**用浮點數裝著整數**在計算。真正要快，需要會做 int8 乘法的運算核心，和擅長它的
#   硬體（`ptqlab doctor` 會告訴你這台機器有什麼）：只有 AVX2 時，我們用 ONNX Runtime 量 BERT 和 GPT-2，快 1.6 到 1.9 倍；
#   講義說的 2.5 倍需要 VNNI、AMX 或 GPU。
#
# **沒有正規化的地方**就會出事。第 01 份筆記本的那一層，輸入是什麼就收到什麼。下面分別用正確的資料、最安靜的 8 筆輸入，以及
# **單位**錯誤的資料來校準：小了十倍或三十倍，就像有人漏了一個前處理步驟。

# %%
trained = load_layer()
linear = nn.Linear(trained.weight.shape[1], trained.weight.shape[0])
linear.load_state_dict({"weight": trained.weight, "bias": trained.bias})
samples = {
    "the right data": trained.inputs,
    "the 8 quietest": trained.inputs[trained.inputs.abs().amax(dim=1).argsort()[:8]],
    "10 times too small": trained.inputs / 10,
    "30 times too small": trained.inputs / 30,
}
print(f"{'float32':20} accuracy {trained.accuracy(trained.logits()):.1%}")
for title, sample in samples.items():
    calibrator = MinMaxCalibrator()
    calibrator.observe(sample)
    scale, zero_point = calibrator.quantization_parameters()
    hidden = torch.relu(StaticQuantizedLinear.from_float(linear, scale, zero_point)(trained.inputs))
    print(f"{title:20} accuracy {trained.accuracy(trained.logits(hidden=hidden)):.1%}, scale {float(scale):.4f}")

# %% [markdown] lang="en"
# Values beyond the range saturate, and what saturates is lost, however fine the steps are. Nothing failed and
# nothing warned you. ("Why did accuracy drop in production?") So: calibrate on data from where the model will
# work, through the same preprocessing, of every kind that occurs, and look at the ranges.
#
# ## 4 · Progressive quantization
#
# If a quantized model disappoints, which layer is to blame? Replace them one group at a time, from the input
# to the output, and watch the error grow. A step in the curve names the layer: leaving that one in float
# costs little and may save the model.

# %% [markdown] lang="zh-TW"
# 超出範圍的值會飽和，飽和的部分就找不回來，間隔再細也沒用。沒有任何東西出錯，也沒有任何警告。（「為什麼上線後準確率掉
# 了？」）所以：用模型將來工作環境的資料校準，經過同樣的前處理，每一種都要有，並且看一看範圍。
#
# ## 4 · 漸進式量化
#
# 如果量化後的模型令人失望，該怪哪一層？從輸入到輸出，一組一組替換，看誤差怎麼增加。曲線上突然的一階就指出了那一層：把它
# 留在浮點數，代價很小，卻可能救回整個模型。


# %%
def group_of(name):
    """Layers that are replaced together: "embeddings", "layer 0 attention", "layer 0 feed-forward", …"""
    parts = name.split(".")
    if "layer" not in parts:
        return "embeddings" if "embeddings" in parts else "head"
    number = parts[parts.index("layer") + 1]
    return f"layer {number} " + ("attention" if "attention" in parts else "feed-forward")


mixed, rows = copy.deepcopy(bert), []
names = [name for name, layer in bert.named_modules() if isinstance(layer, nn.Linear | nn.Embedding)]
shown = evaluation[:4]
original = logits_of(bert, shown)
for group in dict.fromkeys(map(group_of, names)):
    for name in names:
        if group_of(name) == group:
            mixed.set_submodule(name, quantized.get_submodule(name))
    error = (logits_of(mixed, shown) - original).norm() / original.norm()
    rows.append({"group": group, "error": error.item(), "size_mb": get_model_size(mixed) / 1e6})
    log_experiment("lab 02, progressive", **rows[-1])
plot_progress(rows)

# %% [markdown] lang="en"
# Here the embeddings and the first attention make more than half of the error, and all of it together is below
# 1 %: nothing needs to stay in float. In notebook 04 you will measure each layer by itself and give it the bits
# that it needs.
#
# ## 5 · When something is wrong
#
# | what you see | look at | then |
# |---|---|---|
# | the outputs are NaN | a scale of 0: an input that was all zero during calibration | any positive scale will do |
# | all outputs are off by a constant for each channel | the zero point | is it subtracted before the product? |
# | fine on calibration data, bad on others | the ranges above | calibrate on representative data |
# | good with little data, worse with more | one outlier that widens a range for all | a calibrator that cuts off (2.2, notebook 04) |
# | fine in one process, bad after loading | a tensor that is not in the `state_dict` | `register_buffer` |
# | smaller, but not faster | the hardware and the kernel | `ptqlab doctor`, ONNX Runtime (notebook 04) |
#
# ## 6 · Before you go on
#
# Not graded, but worth two minutes each:
#
# 1. Calibrate with `MovingAverageCalibrator` and draw both ranges. Which layers become narrower?
# 2. Load the model with outliers (`load_model("tiny-bert", outliers=True)`) and calibrate on 64 texts and on one.
#    Now the one text wins. Why can *more* data make min-max worse?
# 3. Use `functools.partial(MinMaxCalibrator, symmetric=True)`. Why do the ranges double in some layers only?
#
# **Reading**
#
# - B. Jacob et al., CVPR 2018, [arXiv:1712.05877][jacob], section 2: the integer product and its zero points.
# - ONNX Runtime, [*Quantize ONNX models*][ort]: static against dynamic, and formats.
# - Hugging Face, [*safetensors*][safetensors]: the format, and why no pickle.
#
# **Next:** notebook 03 quantizes activations while they pass, without any calibration.
#
# [jacob]: https://arxiv.org/abs/1712.05877
# [ort]: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
# [safetensors]: https://huggingface.co/docs/safetensors

# %% [markdown] lang="zh-TW"
# 在這裡，嵌入層和第一個注意力層就占了一半以上的誤差，而全部加起來也不到 1 %：沒有哪一層需要留在浮點數。到了第 04 份筆記
# 本，你會單獨測量每一層，給它需要的位元數。
#
# ## 5 · 出問題的時候
#
# | 看到的現象 | 檢查 | 然後 |
# |---|---|---|
# | 輸出是 NaN | 縮放係數是 0：校準時輸入全是零 | 任何正的縮放係數都可以 |
# | 每個通道的輸出都差一個常數 | 零點 | 相乘之前減掉了嗎？ |
# | 校準資料上很好，其他資料很差 | 上面的範圍圖 | 用有代表性的資料校準 |
# | 資料少時好，資料多了反而變差 | 一個離群值把範圍撐寬了 | 會截斷的校準器（2.2、第 04 份筆記本） |
# | 同一個行程裡正常，載入後變差 | 不在 `state_dict` 裡的張量 | `register_buffer` |
# | 變小了，但沒有變快 | 硬體和運算核心 | `ptqlab doctor`、ONNX Runtime（第 04 份筆記本） |
#
# ## 6 · 繼續之前
#
# 不計分，但每題值得花兩分鐘：
#
# 1. 用 `MovingAverageCalibrator` 校準，把兩種範圍畫在一起。哪些層變窄了？
# 2. 載入帶離群值的模型（`load_model("tiny-bert", outliers=True)`），分別用 64 段和一段文字校準。這次一段的比較好。為什麼資
#    料變**多**，min-max 反而變差？
# 3. 改用 `functools.partial(MinMaxCalibrator, symmetric=True)`。為什麼只有某些層的範圍變成兩倍？
#
# **延伸閱讀**
#
# - B. Jacob 等人，CVPR 2018，[arXiv:1712.05877][jacob]，第 2 節：整數乘法與零點。
# - ONNX Runtime，[*Quantize ONNX models*][ort]：靜態與動態的比較，以及各種格式。
# - Hugging Face，[*safetensors*][safetensors]：檔案格式，以及為什麼不用 pickle。
#
# **下一步：** 第 03 份筆記本在激活值經過時才量化它，完全不需要校準。
#
# [jacob]: https://arxiv.org/abs/1712.05877
# [ort]: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
# [safetensors]: https://huggingface.co/docs/safetensors
