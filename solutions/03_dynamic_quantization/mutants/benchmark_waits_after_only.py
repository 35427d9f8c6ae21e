# loses: 3.5/values
# mistake: waits for the device after the call only, so the first time holds the work of the warm-up
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    seconds = []
    with _evaluating(model):
        for _ in range(warmup):
            model(**inputs)
        for _ in range(repeats):
            start = time.perf_counter()
            model(**inputs)
            if torch.accelerator.is_available():
                torch.accelerator.synchronize()
            seconds.append(time.perf_counter() - start)
    quantiles = torch.tensor(seconds, dtype=torch.float64).quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
    return dict(zip(("p10_s", "median_s", "p90_s"), quantiles.tolist(), strict=True))
