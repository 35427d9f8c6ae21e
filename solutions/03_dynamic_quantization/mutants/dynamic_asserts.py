# loses: 3.1/errors
# mistake: checks its arguments with assert, so the error is of another type
_dynamic_that_checks = dynamic_quantize


def dynamic_quantize(x, bits=8, granularity="per_token"):
    assert bits in (2, 3, 4, 5, 6, 7, 8), "bits: 2 to 8"
    assert granularity in ("per_token", "per_tensor"), "unknown granularity"
    return _dynamic_that_checks(x, bits, granularity)
