# loses: 4.4/state
# mistake: takes the caller's batches apart
def _logits(model, batches):
    rows = []
    for batch in batches:
        batch.pop("labels", None)
        batch["use_cache"] = False
        rows.append(model(**batch).logits.flatten(0, -2))
    return torch.cat(rows)
