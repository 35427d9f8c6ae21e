"""What lives here: how a test talks to student code and how its result becomes an Outcome, in the grader and at home.

`proxy` is the fixture `student`. `expect` holds the assertions. `verdicts` makes the message of a failing test.
`outcomes` merges a test's devices and adds hints. `collection` collects the tests once, and `plugin` runs them.

What must not be known here: the sandbox, points, anything that only Linux has.
"""
