# loses: 3.5/state
# mistake: leaves the model in eval mode
def _now():
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    training = model.training
    model.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(warmup):
            model(**inputs)
        for _ in range(repeats):
            start = _now()
            model(**inputs)
            seconds.append(_now() - start)
    seconds = sorted(seconds)
    pick = lambda share: seconds[round(share * (len(seconds) - 1))]
    return {"median_s": pick(0.5), "p10_s": pick(0.1), "p90_s": pick(0.9)}
