# loses: 3.5/values
# mistake: reports the percentiles 1 and 99 as p10 and p90
def _now():
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    training = model.training
    model.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(warmup + repeats):
            start = _now()
            model(**inputs)
            seconds.append(_now() - start)
    model.train(training)
    p1, median, p99 = torch.tensor(seconds[warmup:]).quantile(torch.tensor([0.01, 0.5, 0.99])).tolist()
    return {"median_s": median, "p10_s": p1, "p90_s": p99}
