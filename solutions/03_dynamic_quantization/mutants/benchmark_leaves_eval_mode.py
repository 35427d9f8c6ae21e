# loses: 3.5
# mistake: leaves the model in eval mode
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    training = model.training
    model.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(warmup):
            model(**inputs)
        for _ in range(repeats):
            start = time.perf_counter()
            model(**inputs)
            seconds.append(time.perf_counter() - start)
    seconds = sorted(seconds)
    pick = lambda share: seconds[round(share * (len(seconds) - 1))]
    return {"median_s": pick(0.5), "p10_s": pick(0.1), "p90_s": pick(0.9)}
