# variant of: 3.4
# differs: logsumexp minus the chosen logit; the last place is ignored through a mask
def perplexity(model, batches):
    training = model.training
    model.eval()
    total, places = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            ids = batch["input_ids"]
            logits = model(**batch)[0].to(torch.float32)
            following = torch.roll(ids, -1, dims=1)
            losses = logits.logsumexp(dim=-1) - logits.gather(-1, following.unsqueeze(-1)).squeeze(-1)
            mask = torch.ones_like(losses)
            mask[:, -1] = 0
            total += float((losses * mask).sum())
            places += int(mask.sum())
    model.train(training)
    return math.e ** (total / places)
