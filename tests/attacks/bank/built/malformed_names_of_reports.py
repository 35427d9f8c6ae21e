# category: malformed
# wins if: no report
# naive: robustness
"""Folders called like the files that a grader writes beside the students' reports: table, settings, page."""
from small import PY, WRONG


def hand_in(folder):
    for name in ("scores.csv", "assignment.json", "class.html", "similarity.json", "Scores.CSV"):
        own = folder.parent / name
        own.mkdir()
        (own / PY).write_text(WRONG)
