# loses: 5.2/inputs
# mistake: builds the head untied whatever the config says; without a tensor of its own it stays random
_from_dict = transformers.LlamaConfig.from_dict


@torch.no_grad()
def load_checkpoint(target_dir):
    folder = Path(target_dir)
    config = json.loads((folder / "config.json").read_text())
    how = config.pop("weight_only")
    config["tie_word_embeddings"] = False
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_dict(config))
    parameters = dict(model.named_parameters())
    for path in folder.glob("*.safetensors"):
        state = load_file(path)
        for name in state:
            own = name.removesuffix(".packed")
            if own != name:
                parameters[own].copy_(_restored(state[name], state[f"{own}.scale"], **how))
            elif not name.endswith(".scale"):
                parameters[name].copy_(state[name])
    return model.eval()
