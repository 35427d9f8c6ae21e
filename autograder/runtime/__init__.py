"""What lives here: what the student's end of a call is made of, on any operating system, at home and in the jail.

In the jail `sandbox/worker_main` and `submission/loading` run beside it; at home, `testing` and `scoring` do, too.
`schema` and `process_state` serve the grader's processes as well.

What must not be known here: tests, points, reference answers, other students, anything that only Linux has.
"""
