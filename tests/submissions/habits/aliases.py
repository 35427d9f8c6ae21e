# habit: short names for modules and functions, one graded function under two names
# %% names
F = torch.nn.functional
rnd, clip = torch.round, torch.clamp
i8 = torch.int8
T = torch.Tensor

# %% 1.1
def quantize_sym(tensor: T, bits: int = 8) -> tuple[T, T]:
    x = checked(tensor, bits)
    scale = scale_for(T.abs(x).amax(), bits)
    return clip(rnd(x / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).to(i8), scale


symmetric_quantization = sym = quantize_sym

# %% 1.8
def sqnr(x, y):
    noise = F.mse_loss(y.float(), x.float(), reduction="sum")
    return torch.where(noise == 0, torch.inf, 10 * torch.log10(x.float().pow(2).sum() / noise))


def cosine(a, b):
    return F.cosine_similarity(a.float().flatten(), b.float().flatten(), dim=0)


def kl(p, q):
    p, q = F.log_softmax(p.float(), -1), F.log_softmax(q.float(), -1)
    return F.kl_div(q, p, log_target=True, reduction="none").sum(-1).mean()


compute_sqnr, compute_cosine_sim = sqnr, cosine
(compute_kl_div,) = [kl]
