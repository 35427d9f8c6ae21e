"""What lives here: reports as people and programs read them.
JSON, CSV, HTML, a terminal, the table below a notebook cell, and the class on one page.

What must not be known here: how a submission is read, run or scored. A report is written from the nouns alone.
"""
