"""What lives here: the processes that grade, as an executor, on one machine or on many.

What must not be known here: what a job does.
"""
