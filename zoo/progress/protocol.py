"""How a long step reports on itself, so that only who draws has to know how that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, Self, runtime_checkable


class Count(int):
    """How many things a step handles, where they are not bytes.

    Attributes:
        unit: What they are, in the plural: ``images``.
    """

    unit: str

    def __new__(cls, number: int, unit: str) -> Self:
        """Return so many of them."""
        made = super().__new__(cls, number)
        made.unit = unit
        return made

    def in_words(self, number: int) -> str:
        """Return a number of them in words: ``1 batch``, ``8 batches``."""
        unit = _ONE.get(self.unit, self.unit) if number == 1 else self.unit
        return f"{number:,} {unit}"


_ONE = {"batches": "batch", "images": "image", "links": "link"}


@runtime_checkable
class Progress(Protocol):
    """Told about long steps; ``start`` and ``done`` come in pairs, never nested."""

    def start(self, total: int | None, what: str) -> None:
        """A step begins.

        Args:
            total: How many bytes it will handle, if that is known; 0 where it is only a wait. A
                :class:`Count` where it is something else that is counted.
            what: What is being done, for example ``fetching densenet161-th``.
        """

    def advance(self, count: int) -> None:
        """So many more bytes, or other things, were handled."""

    def done(self) -> None:
        """The step ended, well or badly."""


class Silence:
    """The progress of someone who does not want to know."""

    def start(self, total: int | None, what: str) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""

    def done(self) -> None:
        """Do nothing."""


Told = Callable[[int, int | None, str], object]
"""A user's function, called with what is done, the total if it is known, and what is being done."""


class Telling:
    """Calls a user's function.

    Args:
        told: The function.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._done, self._what = 0, ""
        self._total: int | None = None

    def start(self, total: int | None, what: str) -> None:
        """Tell that nothing is done yet."""
        self._done, self._total, self._what = 0, total, what
        self._told(0, total, what)

    def advance(self, count: int) -> None:
        """Tell how much is done."""
        self._done += count
        self._told(self._done, self._total, self._what)

    def done(self) -> None:
        """Do nothing: all has been told."""


_SHOWN: ContextVar[Progress | None] = ContextVar("shown", default=None)


def is_shown() -> bool:
    """Tell whether the function that was called has decided how progress is shown."""
    return _SHOWN.get() is not None


def shown() -> Progress:
    """Return what the function that was called tells its progress to; silence outside of any."""
    return _SHOWN.get() or Silence()


@contextmanager
def showing(progress: Progress) -> Iterator[None]:
    """Let all that is done within tell its progress to this, unless it is given another."""
    before = _SHOWN.set(progress)
    try:
        yield
    finally:
        _SHOWN.reset(before)


@contextmanager
def step(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """Tell about one step; the arguments are those of :meth:`Progress.start`.

    Yields:
        The function to be told how much more was handled.
    """
    progress = shown()
    progress.start(total, what)
    try:
        yield progress.advance
    finally:
        progress.done()


class BytesDone:
    """Tells of something that says how many bytes are done so far, and of how many.

    As a context manager it gives the function to be told.
    """

    def __init__(self, progress: Progress, what: str) -> None:
        """Tell nothing yet.

        Args:
            progress: What is told.
            what: What is being done, for example ``converting old.h5``.
        """
        self._progress, self._what = progress, what
        self._done: int | None = None

    def __enter__(self) -> Callable[[int, int], None]:
        """Return the function to be told the bytes done and the bytes in all."""
        return self._advance

    def __exit__(self, *_: object) -> None:
        """End the step, if it has begun."""
        if self._done is not None:
            self._progress.done()

    def _advance(self, done: int, total: int) -> None:
        if self._done is None:
            self._progress.start(total, self._what)
        self._progress.advance(done - (self._done or 0))
        self._done = done
