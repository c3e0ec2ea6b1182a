"""One at a time: who asks second for what somebody is fetching waits, and is shown how far it is.

The lock only spares work. Nothing depends on its being kept: on file systems where locks do nothing, a file
is fetched twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from zoo.progress.protocol import Progress
from zoo.storage.clock import Clock
from zoo.storage.disk import make_folder, writing

POLL_S: Final = 0.1
"""Seconds between two looks at what somebody else is doing."""


class Lock:
    """A lock on a file, which the system takes away from a process that ends in whatever way."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock  # needed by those alone who fetch something

        self._lock = FileLock(path, fallback_to_soft=False)

    def take(self) -> bool:
        """Try to get the lock; say whether there is no need to wait for it any longer."""
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return True  # this file system has no locks
        return True

    def release(self) -> None:
        """Let the next one in."""
        self._lock.release()


@contextmanager
def one_at_a_time(
    path: Path,
    *,
    clock: Clock,
    progress: Progress,
    what: str,
    total: int | None,
    so_far: Callable[[], int],
) -> Iterator[None]:
    """Wait until nobody else is doing the same, showing how far they are.

    Args:
        path: The lock file; left in place, for removing it would let two in.
        clock: Waits.
        progress: Shown what the others do.
        what: What that is, for example ``fetching densenet161-th``.
        total: How many bytes it will be, if that is known.
        so_far: Tells how many bytes there are.

    Raises:
        CacheError: The lock file cannot be made.
    """
    with writing(path.parent):
        make_folder(path.parent)
    lock = Lock(path)
    if not lock.take():
        _wait(lock, clock, progress, (total, f"waiting for another process: {what}"), so_far)
    try:
        yield
    finally:
        lock.release()


def _wait(
    lock: Lock,
    clock: Clock,
    progress: Progress,
    step: tuple[int | None, str],
    so_far: Callable[[], int],
) -> None:
    progress.start(*step)
    try:
        shown = 0
        while not lock.take():
            clock.sleep(POLL_S)
            there = so_far()
            if there > shown:
                progress.advance(there - shown)
                shown = there
    finally:
        progress.done()
