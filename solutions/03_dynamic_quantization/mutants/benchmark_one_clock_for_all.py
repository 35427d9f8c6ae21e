# loses: 3.5
# mistake: times all repeats together and divides
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    training = model.training
    model.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(warmup):
            model(**inputs)
        for _ in range(repeats):
            start = time.perf_counter() if not seconds else start
            model(**inputs)
            seconds.append(1.0)
        total = time.perf_counter() - start
        seconds = [total / repeats] * repeats
    model.train(training)
    seconds = sorted(seconds)
    pick = lambda share: seconds[round(share * (len(seconds) - 1))]
    return {"median_s": pick(0.5), "p10_s": pick(0.1), "p90_s": pick(0.9)}
