"""A class graded by many machines: an executor over dask.distributed, which looks to batch.py like any other.

    ptqlab grade CLASS --out DIR --scheduler tcp://scheduler:8786

A Dask worker grades nothing itself: it keeps grading processes of its own (executor.py), one for each of its threads,
and student code runs in their jails as it would here. The jobs of a lost machine are done again by another one.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from autograder.pool.executor import GraderGivenUpError, GraderPool
from autograder.records import PtqlabError
from autograder.runtime.process_state import STATE

CONNECT_S = 20
GPU = {"GPU": 1}  # a Dask worker that is to get work for a GPU is started with --resources "GPU=1"


class Cluster(Executor):
    """The workers of a Dask scheduler; with `device="cuda"` those that offer the resource `GPU`.

    Raises PtqlabError when dask.distributed is not installed, or no scheduler answers at that address.
    """

    def __init__(self, address: str, device: str = "auto") -> None:
        try:
            from distributed import Client, KilledWorker  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise PtqlabError(
                "Expected dask.distributed for --scheduler, but it is not installed: pip install 'ptqlab[cluster]'"
            ) from None
        self._given_up = KilledWorker
        connect: Any = Client  # it has no types
        try:
            self._client = connect(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise PtqlabError(
                f"Expected a Dask scheduler at {address}, but none answers there ({type(error).__name__}); "
                "start one with `dask scheduler`, and give the address that it prints."
            ) from None
        self._workers: Executor = self._client.get_executor(pure=False, resources=GPU if device == "cuda" else None)

    @property
    def size(self) -> int:
        """Return how many submissions can be graded at a time now; workers may come later."""
        return sum(self._client.nthreads().values())

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `function(*args, **kwargs)` in a grading process of one of the machines.

        GraderDiedError when that process ended before it was done, GraderGivenUpError when the job has cost the
        scheduler workers.
        """
        future: Future[Any] = Future()
        task = self._workers.submit(_run_here, function, args, kwargs)
        task.add_done_callback(partial(self._pass_on, future))
        return future

    def _pass_on(self, future: Future[Any], task: Future[Any]) -> None:
        if task.cancelled():
            future.cancel()
        if not future.set_running_or_notify_cancel():
            return
        error = task.exception()
        if isinstance(error, self._given_up):
            error = GraderGivenUpError(str(error))
        future.set_result(task.result()) if error is None else future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the scheduler; its workers stay, for other commands."""
        self._workers.shutdown(wait=wait and not cancel_futures)
        self._client.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)


# --- in a Dask worker ---------------------------------------------------------------------------------------------


def _run_here(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _graders().submit(function, *args, **kwargs).result()


@STATE.keep(1, GraderPool.shutdown)
def _graders() -> GraderPool:
    """Return this Dask worker's grading processes, as many as it has threads; they end with it."""
    from distributed import get_worker  # noqa: PLC0415

    pool = GraderPool(get_worker().state.nthreads, pin_to_core=False)  # others may be on this machine
    atexit.register(pool.shutdown, wait=False, cancel_futures=True)
    return pool
