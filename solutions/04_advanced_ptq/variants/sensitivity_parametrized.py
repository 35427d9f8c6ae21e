# variant of: 4.4
# differs: swaps weights with torch.func.functional_call, float64 arithmetic, KL by torch.nn.functional
def layer_sensitivity(model, batches, bits=(2, 3, 4, 6, 8)):
    def quantized(weight, b, dim):
        require_bits(b)
        top = 2.0 ** (b - 1) - 1
        wide = weight.detach().double()
        step = wide.abs().amax(dim=dim, keepdim=True) / top
        step[step == 0] = 1
        return (torch.round(wide / step) * step).to(weight.dtype)

    def log_probabilities(weights):
        rows = [torch.func.functional_call(model, weights, (), batch, tie_weights=False).logits for batch in batches]
        return torch.cat(rows).double().log_softmax(-1)

    embeddings = [part.weight for part in model.modules() if isinstance(part, nn.Embedding)]
    was = {name: part.training for name, part in model.named_modules()}
    seen, hooks, found = set(), [], {}
    for name, part in model.named_modules():
        if isinstance(part, nn.Linear) or type(part).__name__ == "Conv1D":
            hooks.append(part.register_forward_pre_hook(lambda part, args, name=name: seen.add(name)))
    try:
        model.eval()
        with torch.no_grad():
            before = log_probabilities({})
            for name in [n for n, _ in model.named_modules() if n in seen]:
                part = model.get_submodule(name)
                if any(part.weight is weight for weight in embeddings):
                    continue
                dim = 0 if type(part).__name__ == "Conv1D" else 1
                found[name] = {}
                for b in bits:
                    after = log_probabilities({f"{name}.weight": quantized(part.weight, b, dim)})
                    kl = nn.functional.kl_div(after, before, reduction="none", log_target=True)
                    found[name][b] = kl.sum(-1).mean().item()
    finally:
        for hook in hooks:
            hook.remove()
        for name, part in model.named_modules():
            part.training = was[name]
    return found
