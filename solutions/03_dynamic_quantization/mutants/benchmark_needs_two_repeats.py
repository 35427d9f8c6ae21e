# loses: 3.5/extremes
# mistake: statistics.quantiles, which refuses a single time
import statistics


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    def now():
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    seconds = []
    with _evaluating(model):
        for _ in range(warmup):
            model(**inputs)
        for _ in range(repeats):
            start = now()
            model(**inputs)
            seconds.append(now() - start)
    tenths = statistics.quantiles(seconds, n=10, method="inclusive")
    return {"median_s": statistics.median(seconds), "p10_s": tenths[0], "p90_s": tenths[-1]}
