# loses: 5.1/values
# mistake: builds the model with from_pretrained and quantizes its state_dict, collected into one file
def _quantize_all(source, target, bits, group_size):
    model = transformers.LlamaForCausalLM.from_pretrained(source, dtype=torch.float32)
    written = {}
    for name, tensor in model.named_parameters():
        if tensor.dim() == 2:
            written[f"{name}.packed"], written[f"{name}.scale"] = _quantize_matrix(tensor.detach(), bits, group_size)
        else:
            written[name] = tensor.detach()
    save_file(written, target / "model.safetensors")
    (target / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(written, "model.safetensors")}))
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"weight_only": {"bits": bits, "group_size": group_size}}))
