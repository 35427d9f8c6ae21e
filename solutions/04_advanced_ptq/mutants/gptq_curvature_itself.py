# loses: 4.8/values
# mistake: takes the curvature for its inverse
def _inverse_factor(inputs):
    curvature = inputs.T @ inputs
    diagonal = curvature.diagonal()
    diagonal += torch.where(diagonal == 0, 1.0, 0.01 * diagonal.mean())
    return torch.linalg.cholesky(curvature, upper=True)
