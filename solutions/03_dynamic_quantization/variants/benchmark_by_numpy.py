# variant of: 3.5
# differs: numpy's percentiles of an array that is filled in place, monotonic clock, waits for whatever accelerator there is
import numpy as np


def benchmark_inference(model, inputs, warmup=3, repeats=10):
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    seconds = np.zeros(repeats)
    with torch.no_grad():
        for _ in range(warmup):
            model(**inputs)
        for index in range(repeats):
            if torch.accelerator.is_available():
                torch.accelerator.synchronize()
            start = time.monotonic()
            model(**inputs)
            if torch.accelerator.is_available():
                torch.accelerator.synchronize()
            seconds[index] = max(time.monotonic() - start, 1e-9)
    for part, training in modes:
        part.training = training
    p10, median, p90 = np.percentile(seconds, [10, 50, 90])
    return {"median_s": float(median), "p10_s": p10, "p90_s": p90}
