# loses: 3.5/errors
# mistake: goes on where the model raises, and reports how long that took
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    def now():
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        return time.perf_counter()

    seconds = []
    with _evaluating(model):
        for _ in range(warmup + repeats):
            start = now()
            with contextlib.suppress(Exception):
                model(**inputs)
            seconds.append(now() - start)
    timed = torch.tensor(seconds[warmup:], dtype=torch.float64)
    quantiles = timed.quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
    return dict(zip(("p10_s", "median_s", "p90_s"), quantiles.tolist(), strict=True))
