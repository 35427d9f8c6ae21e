# variant of: 3.5
# differs: statistics.quantiles, perf_counter_ns, inference_mode
import statistics


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    before = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for _ in range(warmup):
                model(**inputs)
            taken = []
            for _ in range(repeats):
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                start = time.perf_counter_ns()
                model(**inputs)
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                taken.append((time.perf_counter_ns() - start) / 1e9)
    finally:
        model.train(before)
    tenths = statistics.quantiles(taken, n=10, method="inclusive") if repeats > 1 else taken
    return {"median_s": statistics.median(taken), "p10_s": tenths[0], "p90_s": tenths[-1]}
