"""Code is compared wherever a notebook may hold it: under __main__, in a helper file, in a pasted session."""

from __future__ import annotations

import pytest

from autograder.submission.normal_form import fingerprint

PLAIN = "def quantize(x, scale):\n    y = x / scale\n    return y.round().clamp(-128, 127)\n"
HIDDEN = {
    "under __main__": "if __name__ == '__main__':\n    " + PLAIN.replace("\n", "\n    "),
    "in a helper file": f"%%writefile helper.py\n{PLAIN}",
    "in a pasted session": ">>> " + PLAIN.strip().replace("\n", "\n... "),
    "below a magic": f"%%my_timer\n{PLAIN}",
}


@pytest.mark.parametrize("where", HIDDEN)
def test_the_same_code_has_the_same_normal_form(where: str) -> None:
    assert fingerprint([HIDDEN[where]]) == fingerprint([PLAIN]) != ""


def test_a_helper_file_that_is_no_python_has_none() -> None:
    assert fingerprint(["%%writefile helper.py\nx = (", "%%writefile notes.txt\nzero becomes one"]) == ""
