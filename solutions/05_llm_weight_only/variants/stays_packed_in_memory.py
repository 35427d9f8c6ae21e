# variant of: 5.2
# differs: layers that keep their packed codes and restore the weight at each call
class PackedLinear(torch.nn.Module):
    def __init__(self, packed, scale, how):
        super().__init__()
        self.register_buffer("packed", packed)
        self.register_buffer("scale", scale)
        self.how = how

    def forward(self, x):
        return x @ _restored(self.packed, self.scale, **self.how).T


class PackedEmbedding(PackedLinear):
    def forward(self, ids):
        return _restored(self.packed, self.scale, **self.how)[ids]


def load_checkpoint(target_dir):
    folder = Path(target_dir)
    config = json.loads((folder / "config.json").read_text())
    how = config.pop("weight_only")
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_dict(config)).requires_grad_(False)
    state = {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}
    for name, module in list(model.named_modules()):
        weight = f"{name}.weight"
        if weight in state:
            module.weight.copy_(state[weight])
        elif f"{weight}.packed" in state or (name == "lm_head" and config["tie_word_embeddings"]):
            stored = weight if f"{weight}.packed" in state else "model.embed_tokens.weight"
            kind = PackedEmbedding if isinstance(module, torch.nn.Embedding) else PackedLinear
            model.set_submodule(name, kind(state[f"{stored}.packed"], state[f"{stored}.scale"], how))
    return model.eval()
