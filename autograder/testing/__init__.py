"""What lives here: how a test talks to student code and how its result becomes an Outcome, in the grader and at home.

What must not be known here: the sandbox, points, anything that only Linux has.
"""
