# loses: 1.8/inputs
# mistake: measures in NumPy, which takes CPU tensors only
def compute_kl_div(original_logits, quantized_logits):
    import numpy as np

    def log_probabilities(logits):
        values = logits.double().numpy()
        values = values - values.max(axis=-1, keepdims=True)
        return values - np.log(np.exp(values).sum(axis=-1, keepdims=True))

    log_p, log_q = log_probabilities(original_logits), log_probabilities(quantized_logits)
    return float((np.exp(log_p) * (log_p - log_q)).sum(axis=-1).mean())
