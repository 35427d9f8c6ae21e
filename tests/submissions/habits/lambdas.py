# habit: graded functions written as lambdas
# %% 1.3
dequantize = lambda q, scale, zero_point=0: (q.float() - zero_point) * scale

# %% 1.8
log10 = torch.log10
energy = lambda x: x.float().pow(2).sum()
compute_sqnr = lambda x, y: 10 * log10(energy(x) / energy(x.float() - y.float())) if energy(x.float() - y.float()) else torch.tensor(torch.inf)
norm = lambda x: energy(x).sqrt()
compute_cosine_sim = lambda a, b: (a.float().flatten() @ b.float().flatten()) / norm(a) / norm(b)
compute_kl_div = lambda p, q: ((lp := p.float().log_softmax(-1)).exp() * (lp - q.float().log_softmax(-1))).sum(-1).mean()
