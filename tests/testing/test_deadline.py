"""A test's own work has a bound of CPU time, which a busy machine does not shorten."""

from __future__ import annotations

import signal
import time

import pytest

from autograder.records import Status
from autograder.testing.deadline import TOO_LONG, OwnWorkTooLongError, at_most
from autograder.testing.verdicts import verdict


def spin() -> None:
    while True:
        try:
            sum(range(1000))
        except Exception:  # what a test might have around it
            continue


def test_work_without_end_is_ended_and_the_test_has_failed() -> None:
    """No `except Exception` of the test's keeps it going, and the verdict is a sentence."""
    with pytest.raises(OwnWorkTooLongError) as caught, at_most(0.05):
        spin()
    for hidden in (True, False):
        found = verdict(caught.value, None, hidden=hidden, in_test=True)
        assert found == {"status": Status.FAILED.value, "message": TOO_LONG}


def test_waiting_is_no_work() -> None:
    """A test that waits for a worker uses no CPU time of its own, and afterwards no timer is left."""
    before = signal.getsignal(signal.SIGPROF)
    with at_most(0.05):
        time.sleep(0.2)
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGPROF) is before
