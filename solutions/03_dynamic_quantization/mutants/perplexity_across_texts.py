# loses: 3.4/values
# mistake: flattens the batch before it shifts, so that the end of a text predicts the start of the next
def perplexity(model, batches):
    loss, count, training = 0.0, 0, model.training
    model.eval()
    with torch.no_grad():
        for batch in batches:
            logits = model(**batch).logits.float().flatten(0, 1)[:-1]
            targets = batch["input_ids"].flatten()[1:]
            loss += nn.functional.cross_entropy(logits, targets.flatten(), reduction="sum").item()
            count += targets.numel()
    model.train(training)
    return math.exp(loss / count)
