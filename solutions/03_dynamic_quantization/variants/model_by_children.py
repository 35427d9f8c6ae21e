# variant of: 3.3
# differs: walks the tree by named_children, and ties the head afterwards through transformers' own names
def _walk(parent):
    for name, child in list(parent.named_children()):
        if isinstance(child, (nn.Linear, Conv1D)):
            setattr(parent, name, DynamicQuantizedLinear.from_float(child))
        elif isinstance(child, nn.Embedding):
            setattr(parent, name, QuantizedEmbedding.from_float(child))
        else:
            _walk(child)


def quantize_model_dynamic(model):
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    quantized = copy.deepcopy(model)
    _walk(quantized)
    if tied:
        table = quantized.get_input_embeddings()
        quantized.lm_head.weight, quantized.lm_head.weight_scale = table.weight, table.weight_scale
    return quantized
