# loses: 3.5/values
# mistake: hands the token ids to the model, and nothing else of the batch
_benchmark_of_batches = benchmark_inference


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    return _benchmark_of_batches(model, {"input_ids": inputs["input_ids"]}, warmup, repeats)
