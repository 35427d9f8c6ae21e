# variant of: 3.4
# differs: takes the model's own loss and weighs it by the number of its predictions
@torch.inference_mode()
def perplexity(model, batches):
    was_training = model.training
    model.eval()
    losses, weights = [], []
    for batch in batches:
        ids = batch["input_ids"]
        losses.append(model(**batch, labels=ids).loss.double())
        weights.append(ids.shape[0] * (ids.shape[1] - 1))
    model.train(was_training)
    weights = torch.tensor(weights, dtype=torch.float64, device=losses[0].device)
    return float(torch.exp((torch.stack(losses) * weights).sum() / weights.sum()))
