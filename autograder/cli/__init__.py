"""What lives here: the `ptqlab` command.
A module each for grading, authoring, exporting and students' commands; `options` writes down what they share,
`course` finds the course that a command works on, and `app` turns a user's mistake into one sentence and exit code 2.

What must not be known here: how a submission is read, run or scored. A command calls one function of another room.
"""

from autograder.cli.app import main

__all__ = ["main"]
