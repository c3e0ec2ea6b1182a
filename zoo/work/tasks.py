"""Giving tasks to an executor, so many at a time that this process need not hold them all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from itertools import islice
from typing import Any, TypeVar

from converters.errors import given_up
from zoo.errors import ZooError
from zoo.work.processes import WorkerError

AHEAD = 512
"""How many tasks an executor has at a time, whatever it is: more workers than that are idle."""

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class EngineError(ZooError):
    """What ran tasks runs no more of them; what it had done is kept and taken by the next call."""


def outcomes(
    executor: Executor, function: Callable[[_Task], _Result], tasks: Iterable[_Task], *, ahead: int = AHEAD
) -> Iterator[tuple[_Task, _Result | Exception]]:
    """Yield each task with what became of it, as that is known: a result, or what was raised.

    Args:
        executor: Runs them.
        function: At the top of a module: it is sent by its name.
        tasks: Plain data. Drawn only as fast as they are done.
        ahead: How many are given to the executor at a time.

    Raises:
        EngineError: The executor takes no more tasks.
    """
    coming = iter(tasks)
    running: dict[Future[_Result], _Task] = {}
    try:
        while True:
            for task in islice(coming, ahead - len(running)):
                running[_submitted(executor, function, task)] = task
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                became = outcome(future)
                yield running.pop(future), became
    finally:
        for future in running:
            future.cancel()


def outcome(future: Future[_Result]) -> _Result | Exception:
    """Return what became of a task: its result, or what it raised.

    Raises:
        EngineError: The executor gave it up.
    """
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise EngineError(given_up(error)) from error
    except Exception as error:  # whatever it is, it is about this task alone, and is told of it
        return error


def ended_its_process(error: Exception) -> bool:
    """Tell whether a task was given up because each process that ran it was killed."""
    dask: Any = sys.modules.get("distributed.scheduler")
    return isinstance(error, WorkerError) or (dask is not None and isinstance(error, dask.KilledWorker))


def _submitted(executor: Executor, function: Callable[[_Task], _Result], task: _Task) -> Future[_Result]:
    try:
        return executor.submit(function, task)
    except (BrokenExecutor, RuntimeError) as error:
        raise EngineError(given_up(error)) from error
