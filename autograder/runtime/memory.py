"""How much memory a call takes: anonymous pages (RssAnon), which mapped files are not part of.

Linux says so in /proc; elsewhere the answer is None. Reading a file through a memory map, tensor by tensor, leaves
RssAnon alone; loading the whole of it does not.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Self

TICK_S = 0.002


def anonymous_mb(pid: int | str = "self") -> float | None:
    """The anonymous memory of a process in MB; None where it can't be told."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return None


class Watch:
    """Looks at a process again and again, from a thread: `growth_mb` is the peak above `start_mb`, what it was at
    first.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._pid = os.getpid() if pid is None else pid
        self.start_mb = anonymous_mb(self._pid)
        self._peak = self.start_mb
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._ended.wait(TICK_S):
            self._sample()

    def _sample(self) -> None:
        now = anonymous_mb(self._pid)
        if now is not None and self._peak is not None:
            self._peak = max(self._peak, now)

    @property
    def growth_mb(self) -> float | None:
        """The peak above the start in MB; None where it can't be told."""
        return None if self._peak is None or self.start_mb is None else self._peak - self.start_mb

    def __enter__(self) -> Self:
        if self.start_mb is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._sample()
