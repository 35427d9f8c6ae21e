# variant of: 3.3
# differs: the tied head has no weight of its own: it asks the embedding for its rows
class _TiedHead(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.tables = [table]  # in a list: no submodule, so the state_dict names it once

    def forward(self, x):
        table = self.tables[0]
        codes, scale = dynamic_quantize(x)
        return (codes.double() @ table.weight.double().T * scale * table.weight_scale).float()


def quantize_model_dynamic(model):
    quantized = copy.deepcopy(model)
    tied = quantized.lm_head.weight is quantized.get_input_embeddings().weight
    for name, module in list(quantized.named_modules()):
        if tied and name == "lm_head":
            continue
        if isinstance(module, (nn.Linear, Conv1D)):
            quantized.set_submodule(name, DynamicQuantizedLinear.from_float(module))
        if isinstance(module, nn.Embedding):
            quantized.set_submodule(name, QuantizedEmbedding.from_float(module))
    if tied:
        quantized.lm_head = _TiedHead(quantized.get_input_embeddings())
    return quantized
