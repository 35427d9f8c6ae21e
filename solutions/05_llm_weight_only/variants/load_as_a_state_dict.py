# variant of: 5.2
# differs: restores a whole state_dict, half precision kept, and loads it strictly
def load_checkpoint(target_dir):
    folder = Path(target_dir)
    config = transformers.LlamaConfig.from_pretrained(folder)
    how = config.weight_only
    state = {}
    for path in folder.glob("*.safetensors"):
        part = load_file(path)
        for name, tensor in part.items():
            if name.endswith(".packed"):
                own = name[: -len(".packed")]
                state[own] = _restored(tensor, part[own + ".scale"], how["bits"], how["group_size"])
            elif not name.endswith(".scale"):
                state[name] = tensor.float()
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = transformers.LlamaForCausalLM(config)
    model.load_state_dict(state, strict=True)
    return model.eval()
