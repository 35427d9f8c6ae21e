# loses: 4.4/values
# mistake: looks for nn.Linear only: a GPT-2 has none but its head
def _quantizable(model):
    return {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
