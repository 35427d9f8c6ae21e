# loses: 3.4/inputs
# mistake: exponentiates the logits as they are
def perplexity(model, batches):
    loss, count, training = 0.0, 0, model.training
    model.eval()
    with torch.no_grad():
        for batch in batches:
            logits = model(**batch).logits[:, :-1].float()
            targets = batch["input_ids"][:, 1:]
            loss += (logits.exp().sum(-1).log() - logits.gather(-1, targets[..., None])[..., 0]).sum().item()
            count += targets.numel()
    model.train(training)
    return math.exp(min(loss / count, 700.0))
