# loses: 2.3/state
# mistake: forgets torch.no_grad()
@contextlib.contextmanager
def _evaluating(model):
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
