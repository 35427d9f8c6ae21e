# loses: 4.4/errors
# mistake: leaves out batches on which the model raises
_logits_of_good = _logits


def _works(model, batch):
    try:
        model(**batch)
    except Exception:
        return False
    return True


def _logits(model, batches):
    return _logits_of_good(model, [batch for batch in batches if _works(model, batch)])
