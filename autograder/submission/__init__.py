"""What lives here: a submitted file becomes one module's source,
cut down to what the graded names need, and that becomes a live module.
These are functions on bytes and text: in the grader, `sandbox/reading` calls them in a bounded child.

What must not be known here: torch, tests, points, the sandbox.
"""
