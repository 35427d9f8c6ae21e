# variant of: 4.5
# differs: rewrites the state_dict of a copy and loads it
def quantize_mixed(model, plan):
    made = copy.deepcopy(model)
    state = dict(made.state_dict())
    aliases = {}
    for key, value in state.items():
        aliases.setdefault(value.data_ptr(), []).append(key)
    for name, bits in plan.items():
        if bits == 16:
            continue
        weight, conv = state[f"{name}.weight"], isinstance(made.get_submodule(name), Conv1D)
        restored = fake_quantize(weight, bits, axis=-1 if conv else 0)
        for key in aliases[weight.data_ptr()]:
            state[key] = restored
    made.load_state_dict(state)
    return made
