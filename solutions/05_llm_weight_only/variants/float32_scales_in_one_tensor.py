# variant of: 5.1 5.2
# differs: a flat tensor of bytes for each matrix: its codes, then its scales in float32
def _quantize_shard(source, target, bits, group_size):
    written = {}
    with safe_open(source, framework="pt") as shard:
        for name in shard.keys():
            tensor = shard.get_tensor(name)
            if tensor.dim() == 2:
                codes, scale = group_quantization(tensor, bits, group_size)
                codes = pack_int4(codes) if bits <= 4 else codes.view(torch.uint8)
                written[name] = torch.cat([codes.flatten(), scale.flatten().view(torch.uint8)])
            else:
                written[name] = tensor.float()
    save_file(written, target)
    return list(written), sum(tensor.nbytes for tensor in written.values())


@torch.no_grad()
def load_checkpoint(target_dir):
    folder = Path(target_dir)
    config = json.loads((folder / "config.json").read_text())
    bits, group_size = config["weight_only"]["bits"], config["weight_only"]["group_size"]
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config))
    state = {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.copy_(state[name])
            continue
        rows, columns = parameter.shape
        cut = rows * columns // (2 if bits <= 4 else 1)
        codes = state[name][:cut].reshape(rows, -1)
        scale = state[name][cut:].clone().view(torch.float32).reshape(rows, -1)
        parameter.copy_(_restored(codes, scale, bits, group_size))
    return model
