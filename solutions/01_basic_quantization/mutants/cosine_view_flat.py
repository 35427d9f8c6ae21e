# loses: 1.8/inputs
# mistake: flattens with view, which a transposed tensor refuses
def compute_cosine_sim(a, b):
    a, b = a.float().view(-1), b.float().view(-1)
    return torch.dot(a, b) / (a.norm() * b.norm())
