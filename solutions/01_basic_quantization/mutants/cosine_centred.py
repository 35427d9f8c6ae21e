# loses: 1.8/values
# mistake: subtracts the means: a correlation coefficient
def compute_cosine_sim(a, b):
    both = torch.stack([a.float().flatten(), b.float().flatten()])
    return torch.corrcoef(both)[0, 1]
