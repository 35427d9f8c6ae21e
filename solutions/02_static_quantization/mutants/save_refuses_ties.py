# loses: 2.6/artifact
# mistake: writes every name of the state_dict: two names for one memory are refused by safetensors
def save_quantized(model, path):
    about = {"class": type(model).__name__, "config": model.config.to_json_string(use_diff=False), "tied": "{}"}
    save_file(model.state_dict(), path, metadata=about)
