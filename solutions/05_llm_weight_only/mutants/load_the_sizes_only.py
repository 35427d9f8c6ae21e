# loses: 5.2/values
# mistake: takes the sizes from config.json and leaves its other constants at their defaults
_load_all = load_checkpoint


def load_checkpoint(target_dir):
    model = _load_all(target_dir)
    kept = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "tie_word_embeddings", "max_position_embeddings")
    config = transformers.LlamaConfig(**{name: getattr(model.config, name) for name in kept})
    other = transformers.LlamaForCausalLM(config)
    other.load_state_dict(model.state_dict())
    return other.eval()
