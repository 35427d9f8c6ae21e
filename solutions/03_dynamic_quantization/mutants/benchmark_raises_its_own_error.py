# loses: 3.5/errors
# mistake: replaces the model's error by one of another type
_benchmark_that_raises = benchmark_inference


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    try:
        return _benchmark_that_raises(model, inputs, warmup, repeats)
    except Exception as error:
        raise RuntimeError("the model can't be measured") from error
