"""Where grades and exercises go: nbgrader, Gradescope, Canvas, Moodle, GitHub Classroom, otter."""
