# variant of: 3.5
# differs: sorted times, whole ranks without interpolation, one loop for warm-up and repeats
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    def wait():
        if next(model.parameters()).device.type == "cuda":
            torch.cuda.synchronize()

    times, mode = [], model.training
    model.train(False)
    with torch.no_grad():
        for call in range(-warmup, repeats):
            wait()
            t0 = time.perf_counter()
            model(**inputs)
            wait()
            if call >= 0:
                times.append(time.perf_counter() - t0)
    model.train(mode)
    times.sort()
    last = len(times) - 1
    return {"p10_s": times[int(0.1 * last)], "median_s": times[last // 2], "p90_s": times[math.ceil(0.9 * last)]}
