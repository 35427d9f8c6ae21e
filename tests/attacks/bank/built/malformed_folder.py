# category: malformed
# wins if: no report
# naive: wins
"""A folder of the name that the file should have."""
from small import PY, WRONG


def hand_in(folder):
    (folder / PY).mkdir()
    (folder / PY / "__init__.py").write_text(WRONG)
