# loses: 3.4/state
# mistake: computes gradients along the way
def perplexity(model, batches):
    loss, count, training = 0.0, 0, model.training
    model.eval()
    if True:
        for batch in batches:
            logits = model(**batch).logits[:, :-1].float()
            targets = batch["input_ids"][:, 1:]
            loss += nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
            count += targets.numel()
    model.train(training)
    return math.exp(loss / count)
