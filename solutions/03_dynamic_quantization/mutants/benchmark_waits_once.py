# loses: 3.5/values
# mistake: waits for the device after the warm-up and when all is over, not after each call
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    def wait():
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    seconds = []
    with _evaluating(model):
        for _ in range(warmup):
            model(**inputs)
        wait()
        for _ in range(repeats):
            start = time.perf_counter()
            model(**inputs)
            seconds.append(time.perf_counter() - start)
        wait()
    quantiles = torch.tensor(seconds, dtype=torch.float64).quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
    return dict(zip(("p10_s", "median_s", "p90_s"), quantiles.tolist(), strict=True))
