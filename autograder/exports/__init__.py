"""What lives here: what grades and exercises become for a platform.
`nbgrader*`, `gradescope*`, `classroom` and `otter` are a platform each. `lms` makes the tables of Canvas and Moodle;
the table of another LMS goes there, and its name into `cli/options.Platform` and `cli/exporting._table`.

What must not be known here: how a test judges, how points are made of outcomes.
"""
