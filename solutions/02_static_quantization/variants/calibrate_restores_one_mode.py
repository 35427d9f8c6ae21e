# variant of: 2.3
# differs: gives every part the mode that the whole model was in, as most do; models come in one mode
@contextlib.contextmanager
def _evaluating(model):
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
