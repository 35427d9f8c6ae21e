# loses: 3.3/values
# mistake: rounds the weights and keeps them in float32
def quantize_model_dynamic(model):
    quantized = copy.deepcopy(model)
    for module in quantized.modules():
        if isinstance(module, (nn.Linear, Conv1D, nn.Embedding)):
            dim = 0 if isinstance(module, Conv1D) else 1
            scale = module.weight.detach().abs().amax(dim=dim, keepdim=True) / 127
            module.weight.data = torch.round(module.weight / scale) * scale
    return quantized
