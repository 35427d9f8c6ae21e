"""What lives here: all that runs beside student code, on any operating system, at home and in the jail.

What must not be known here: tests, points, reference answers, other students, anything that only Linux has.
"""
