# loses: 4.8/inputs
# mistake: finds the Cholesky factor on the CPU
def _inverse_factor(inputs):
    curvature = inputs.T @ inputs
    diagonal = curvature.diagonal()
    diagonal += torch.where(diagonal == 0, 1.0, 0.01 * diagonal.mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(curvature.cpu()))
    return torch.linalg.cholesky(inverse, upper=True).to(inputs.device)
