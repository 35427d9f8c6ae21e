# variant of: 3.4
# differs: gathers log-probabilities in float64 and joins all of them before the mean
def perplexity(model, batches):
    modes = {part: part.training for part in model.modules()}
    model.eval()
    chosen = []
    try:
        for batch in batches:
            with torch.no_grad():
                output = model(**batch)
            log_p = torch.log_softmax(output.logits.double(), dim=-1)[:, :-1, :]
            chosen.append(torch.gather(log_p, 2, batch["input_ids"][:, 1:].unsqueeze(-1)).reshape(-1))
    finally:
        for part, mode in modes.items():
            part.training = mode
    return torch.cat(chosen).mean().neg().exp().item()
