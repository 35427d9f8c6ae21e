# loses: 3.4/inputs
# mistake: flattens the token ids with `view`, which a transposed or sliced tensor refuses
def perplexity(model, batches):
    loss, count = 0.0, 0
    with _evaluating(model):
        for batch in batches:
            logits, tokens = model(**batch).logits.float(), batch["input_ids"].view(-1)
            losses = -logits.flatten(0, 1)[:-1].log_softmax(-1).gather(-1, tokens[1:, None])[:, 0]
            inside = torch.arange(1, len(tokens), device=tokens.device) % batch["input_ids"].shape[1] != 0
            loss, count = loss + losses[inside].sum().item(), count + int(inside.sum())
    return math.exp(loss / count)
