"""What lives here: a submission's way from its file to its report, for one student and for a class.

What must not be known here: how a command line looks, or where grades are exported to.
"""
