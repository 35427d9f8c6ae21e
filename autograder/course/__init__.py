"""What lives here: the course on disk.
exercise.toml becomes an Exercise, source.py becomes notebooks, and a course becomes a release.

What must not be known here: how a submission is read, run or scored.
"""
