# loses: 3.5/values
# mistake: counts the processor's time, which stands still while the model waits
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    training = model.training
    model.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(warmup):
            model(**inputs)
        for _ in range(repeats):
            start = time.process_time()
            model(**inputs)
            seconds.append(time.process_time() - start)
    model.train(training)
    seconds = sorted(seconds)
    pick = lambda share: seconds[round(share * (len(seconds) - 1))]
    return {"median_s": pick(0.5), "p10_s": pick(0.1), "p90_s": pick(0.9)}
