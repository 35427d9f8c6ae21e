# loses: 3.4/inputs
# mistake: takes the logarithm of a softmax, with a small number added
def perplexity(model, batches):
    loss, count, training = 0.0, 0, model.training
    model.eval()
    with torch.no_grad():
        for batch in batches:
            logits = model(**batch).logits[:, :-1].float()
            targets = batch["input_ids"][:, 1:]
            loss += -(logits.softmax(-1) + 1e-10).log().gather(-1, targets[..., None]).sum().item()
            count += targets.numel()
    model.train(training)
    return math.exp(loss / count)
