# loses: 4.2/inputs
# mistake: `view` instead of `flatten`: transposed tensors and slices are refused
_histogram_of_flat = collect_histogram


def collect_histogram(batches, bins=2048):
    return _histogram_of_flat([batch.view(-1) for batch in batches], bins)
