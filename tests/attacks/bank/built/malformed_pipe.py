# category: malformed
# wins if: no report
# naive: wins
"""A named pipe of the file's name: who opens it waits for a writer who never comes."""
import os

from small import PY


def hand_in(folder):
    os.mkfifo(folder / PY)
