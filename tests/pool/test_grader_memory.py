"""A grading process has a bound of memory: what exceeds it is a MemoryError, and the process goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TAKES = """
from autograder.pool import grader_main
grader_main.OWN_MEMORY = 64 << 20
grader_main.limit_memory()
try:
    bytearray(256 << 20)
except MemoryError:
    print("refused")
print(len(bytearray(8 << 20)))
"""


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="a GPU's driver reserves more than any bound")
def test_memory_beyond_the_bound_is_refused_and_the_process_goes_on() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", TAKES], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused", str(8 << 20)]
