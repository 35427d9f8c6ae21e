"""What lives here: `ptqlab doctor`, the examination of a machine.
`trials` tries things in processes of their own, `examination` collects the facts, `findings` says what they mean.

What must not be known here: submissions, tests, points. Nothing is guessed from a version number.
"""
