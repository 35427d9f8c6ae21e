"""What lives here: a module for each platform that grades or exercises go to.
nbgrader, Gradescope, Canvas, Moodle, GitHub Classroom, otter.

What must not be known here: how a test judges, how points are made of outcomes.
"""
