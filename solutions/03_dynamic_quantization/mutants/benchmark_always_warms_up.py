# loses: 3.5/extremes
# mistake: calls the model once for warm-up where no warm-up is asked for
_benchmark_as_asked = benchmark_inference


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    return _benchmark_as_asked(model, inputs, max(warmup, 1), repeats)
