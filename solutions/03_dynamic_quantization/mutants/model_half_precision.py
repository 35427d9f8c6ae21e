# loses: 3.3/values
# mistake: converts the model to float16 and calls it quantized
class _Wide(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model.half()

    def forward(self, input_ids):
        return copy.deepcopy(self.model).float()(input_ids=input_ids)


def quantize_model_dynamic(model):
    return _Wide(copy.deepcopy(model))
