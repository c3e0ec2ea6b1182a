"""Several things at once, in threads that a Ctrl-C need not wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from zoo.progress.protocol import Progress

_Result = TypeVar("_Result")

PATIENCE = 5.0
"""Seconds for which an interrupted command waits for what it was doing to put its files in order."""


class Stopped(BaseException):
    """The user wants everything to end; raised where a thread reports on its progress."""


class Stoppable:
    """A progress that ends what it is told about once that is asked for.

    Args:
        progress: Who draws it.
        stop: Set when everything is to end.
    """

    def __init__(self, progress: Progress, stop: Event) -> None:
        self._progress, self._stop = progress, stop

    def start(self, total: int | None, what: str) -> None:
        """Pass it on."""
        self._check()
        self._progress.start(total, what)

    def advance(self, count: int) -> None:
        """Pass it on."""
        self._check()
        self._progress.advance(count)

    def done(self) -> None:
        """Pass it on."""
        self._progress.done()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def run_jobs(tasks: Sequence[Callable[[], _Result]], count: int, stop: Event) -> list[Future[_Result]]:
    """Run tasks in at most ``count`` threads and return what became of each, in their order.

    Args:
        tasks: What to do.
        count: How many at once.
        stop: Set by a Ctrl-C, so that the tasks can end what they are doing.

    Raises:
        KeyboardInterrupt: The user interrupted; a thread that does not listen ends with the process.
    """
    futures: list[Future[_Result]] = [Future() for _ in tasks]
    pending = deque(zip(futures, tasks, strict=True))

    def work() -> None:
        while pending and not stop.is_set():
            try:
                future, task = pending.popleft()
            except IndexError:
                return  # another thread took the last one
            try:
                future.set_result(task())
            except BaseException as error:
                # Nothing is lost: whoever asks for the result gets it raised.
                future.set_exception(error)

    threads = [
        Thread(target=copy_context().run, args=(work,), daemon=True) for _ in range(min(count, len(tasks)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE / len(threads))
        raise
    return futures
