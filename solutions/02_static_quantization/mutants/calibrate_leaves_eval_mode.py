# loses: 2.3/state
# mistake: calls model.eval() and never goes back
@contextlib.contextmanager
def _evaluating(model):
    model.eval()
    with torch.no_grad():
        yield
