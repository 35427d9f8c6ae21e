# loses: 3.4/errors
# mistake: replaces the model's error by one of another type
_perplexity_that_raises = perplexity


def perplexity(model, batches):
    try:
        return _perplexity_that_raises(model, batches)
    except Exception as error:
        raise RuntimeError("the perplexity could not be measured") from error
