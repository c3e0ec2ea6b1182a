"""Processes on this machine, of which any may be killed at any time."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from zoo.errors import ZooError

ATTEMPTS = 3
"""How many processes a task may end before it is given up."""

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class WorkerError(ZooError):
    """A task ended every process that it was given to: out of memory, or a library crashed on it."""


class Processes(Executor):
    """An executor of processes, each a pool of its own.

    A pool of several gives up all that it was given when one of its processes is killed. Of these, only the
    task that ran there is run again, in a new process.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="zoo-worker")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._pools: set[ProcessPoolExecutor] = set()

    def submit(
        self, fn: Callable[_Given, _Result], /, *args: _Given.args, **kwargs: _Given.kwargs
    ) -> Future[_Result]:
        """Run a function in one of the processes.

        Raises (from the future):
            WorkerError: Each process that ran it was killed.
        """
        return self._threads.submit(self._run, fn, args, kwargs)

    def _run(self, function: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:  # noqa: ANN401
        for _ in range(ATTEMPTS):
            pool = self._pool()
            try:
                return pool.submit(function, *args, **kwargs).result()
            except BrokenExecutor:
                self._drop(pool)
        raise WorkerError(
            f"its process was killed {ATTEMPTS} times: it may need more memory than there is; with fewer "
            "processes at a time each has more"
        )

    def _pool(self) -> ProcessPoolExecutor:
        """Return the pool of this thread, a new one if the last was broken."""
        pool: ProcessPoolExecutor | None = getattr(self._own, "pool", None)
        if pool is None:
            # Not fork: this process has threads. A server that is forked off a clean process costs no more.
            context = multiprocessing.get_context("forkserver")
            pool = self._own.pool = ProcessPoolExecutor(1, mp_context=context)
            with self._lock:
                self._pools.add(pool)
        return pool

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        self._own.pool = None
        with self._lock:
            self._pools.discard(pool)
        pool.shutdown()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when what they do is done."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for pool in self._pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)
