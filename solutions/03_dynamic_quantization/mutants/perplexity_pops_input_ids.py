# loses: 3.4/state
# mistake: takes the tokens out of the caller's batches
_perplexity_of_whole = perplexity


def perplexity(model, batches):
    return _perplexity_of_whole(model, [{"input_ids": batch.pop("input_ids"), **batch} for batch in batches])
