# loses: 3.4/inputs
# mistake: hands the token ids to the model, and nothing else of the batch
_perplexity_of_batches = perplexity


def perplexity(model, batches):
    return _perplexity_of_batches(model, [{"input_ids": batch["input_ids"]} for batch in batches])
