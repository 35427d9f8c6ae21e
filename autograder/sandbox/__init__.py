"""What lives here: the processes that hold what a student handed in, and their clients in the grader.

Student code runs in a jailed worker: `worker` is the trusted end, `worker_main` the end that runs the code.
A student's file is opened by `reading` and parsed by `reader_main`, in a bounded child that runs no student code.

What must not be known here: tests, points, reports. Nothing that a worker or a reader sends is believed.
"""
