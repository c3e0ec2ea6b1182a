"""The boundary around all that is worked out from a file that nobody vouches for.

Within it, code may take a file at its word. Whatever cannot be worked out from what the file says comes out
as a refusal that names the file, and so does what takes too long: never as an error of Python's, and never as
half a result. What is checked beforehand is refused in words of its own; a refusal of this boundary's says
that a check is missing, and which error would have come instead.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from converters.errors import FileFormatError, ZooError
from converters.limits import Limits, clipped

_Item = TypeVar("_Item")
Clock = Callable[[], float]
# What Python raises where a value is not what it was taken for; not OSError: that is the disk's word.
_ESCAPING = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
BROKEN = "says of itself what cannot be worked out"
"""The words of a refusal for which there is no check; no test's file may be refused by them."""


@dataclass(frozen=True, kw_only=True)
class _Watch:
    """A file that is being worked on, and the time at which that has to end."""

    path: str
    end: float
    seconds: float
    clock: Clock

    def check(self) -> None:
        if self.clock() > self.end:
            text = f"takes longer than {self.seconds:g} s to read (limit seconds)"
            raise FileFormatError(f"{self.path}: {text}")


_WATCH: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def guarded(
    path: str | os.PathLike[str], *, limits: Limits | None = None, clock: Clock | None = None
) -> Iterator[None]:
    """Refuse a file if what is done within cannot be worked out from it, or takes longer than it may.

    Within another one, the time of the outer one counts.

    Args:
        path: The file, for messages.
        limits: Caps; by default those of the environment.
        clock: What time it is, in seconds; by default the system's.

    Raises:
        FileFormatError: In place of what Python raises; errors of our own and of the disk's pass.
    """
    seconds = (limits or Limits.from_environment()).seconds
    now = clock or monotonic
    watch = _WATCH.get() or _Watch(path=str(path), end=now() + seconds, seconds=seconds, clock=now)
    token = _WATCH.set(watch)
    try:
        yield
        watch.check()
    except ZooError:
        raise
    except _ESCAPING as error:
        why = f"{type(error).__name__}: {clipped(str(error))}"
        raise FileFormatError(
            f"{path}: {BROKEN} ({why}); if Keras wrote it as it is, please report this"
        ) from error
    finally:
        _WATCH.reset(token)


def paced(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield items as long as there is time left for the file that is being worked on.

    Raises:
        FileFormatError: When there is none.
    """
    watch = _WATCH.get()
    for item in items:
        if watch is not None:
            watch.check()
        yield item


@contextmanager
def uncollected() -> Iterator[None]:
    """Leave cyclic garbage where it is while many objects that will stay are made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
