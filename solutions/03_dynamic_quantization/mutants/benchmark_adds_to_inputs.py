# loses: 3.5/state
# mistake: adds an attention mask to the caller's batch
_benchmark_as_it_is = benchmark_inference


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    inputs.setdefault("attention_mask", torch.ones_like(inputs["input_ids"]))
    return _benchmark_as_it_is(model, inputs, warmup, repeats)
