# loses: 3.5/values
# mistake: looks at the clock without waiting for the device
def benchmark_inference(model, inputs, warmup=3, repeats=10):
    seconds = []
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    with torch.no_grad():
        for _ in range(warmup + repeats):
            start = time.perf_counter()
            model(**inputs)
            seconds.append(time.perf_counter() - start)
    for part, training in modes:
        part.training = training
    p10, median, p90 = torch.tensor(seconds[warmup:], dtype=torch.float64).quantile(
        torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    )
    return {"median_s": median.item(), "p10_s": p10.item(), "p90_s": p90.item()}
