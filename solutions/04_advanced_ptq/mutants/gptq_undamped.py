# loses: 4.8/extremes
# mistake: inverts the curvature as it is: singular where a channel is silent or inputs are few
def _inverse_factor(inputs):
    curvature = inputs.T @ inputs
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(curvature)), upper=True)
