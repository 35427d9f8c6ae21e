# category: resource
# wins if: no report
# naive: wins
# cpu: 0.3
"""Never returns."""
def compute_kl_div(a, b):
    while True:
        pass
