# variant of: 3.3
# differs: the embeddings' scales are float16
_reference_quantize = quantize_model_dynamic


class _HalfScales(QuantizedEmbedding):
    def forward(self, ids):
        return self.weight[ids].float() * self.weight_scale[ids].float()[..., None]


def quantize_model_dynamic(model):
    quantized = _reference_quantize(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding):
            old = quantized.get_submodule(name)
            table = _HalfScales(old.weight, old.weight_scale.half())
            quantized.set_submodule(name, table)
            if isinstance(getattr(quantized, "lm_head", None), DynamicQuantizedLinear):
                if quantized.lm_head.weight is old.weight:
                    quantized.lm_head.weight_scale = table.weight_scale
    return quantized
