"""What lives here: the jailed worker. `worker` is the trusted end, `worker_main` the end that runs student code.

What must not be known here: tests, points, reports. Nothing that a worker sends is believed.
"""
