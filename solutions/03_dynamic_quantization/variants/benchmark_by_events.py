# variant of: 3.5
# differs: CUDA's own events where there are some, read when all is over
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    on_gpu = model.device.type == "cuda"
    with torch.inference_mode():
        for _ in range(warmup):
            model(**inputs)
        if on_gpu:
            pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
            for first, last in pairs:
                first.record()
                model(**inputs)
                last.record()
            torch.cuda.synchronize()
            seconds = [first.elapsed_time(last) / 1000 for first, last in pairs]
        else:
            seconds = []
            for _ in range(repeats):
                start = time.perf_counter()
                model(**inputs)
                seconds.append(time.perf_counter() - start)
    for part, training in modes:
        part.training = training
    p10, median, p90 = torch.quantile(torch.tensor(seconds), torch.tensor([0.1, 0.5, 0.9])).tolist()
    return {"median_s": median, "p10_s": p10, "p90_s": p90}
