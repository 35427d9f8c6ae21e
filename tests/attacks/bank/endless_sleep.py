# category: resource
# wins if: no report
# naive: wins
# cpu: 0.2
"""Never returns, and uses no CPU time."""
import time


def compute_kl_div(a, b):
    while True:
        time.sleep(1)
