# category: payload
# wins if: no report
# naive: robustness
"""Returns a tensor whose storage a thread resizes and frees while it is looked at."""
import threading

import torch


def answer(*args, **kwargs):
    tensor = torch.zeros(1 << 18)
    sizes = [0, 1 << 18, 1, 1 << 10]

    def change():
        for number in range(2000):
            tensor.untyped_storage().resize_(4 * sizes[number % 4])

    threading.Thread(target=change, daemon=True).start()
    return tensor


compute_kl_div = compute_sqnr = answer
