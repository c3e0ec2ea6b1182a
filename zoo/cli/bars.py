"""How the commands show progress: as the library does, and as much as the command line asks for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from zoo.cli import output
from zoo.progress.asked import is_quiet
from zoo.progress.colours import is_colourless
from zoo.progress.protocol import BytesDone, Silence

if TYPE_CHECKING:
    from zoo.progress.protocol import Progress

__all__ = ["BytesDone", "keras_verbosity", "progress", "several"]


def progress() -> Progress:
    """Return what draws the progress of long steps on standard error; silence where none is wanted."""
    if _is_unwanted():
        return Silence()
    from zoo.progress import bars

    return bars.Bar() if sys.stderr.isatty() else bars.Lines(output.note)


def keras_verbosity(*, is_json: bool) -> int:
    """Return how Keras is to show its own progress: as a bar to whoever looks at it, else not at all.

    Elsewhere there are our own lines, one for each epoch, in the place of its ``10/10 - 16s``. Its bar is
    coloured whatever ``NO_COLOR`` says, so that whoever sets that gets its lines.

    Args:
        is_json: Whether the result is a JSON document: whoever wants that is no reader of bars.
    """
    if _is_unwanted() or is_json or not sys.stderr.isatty():
        return 0
    return 2 if is_colourless() else 1


def several(count: int) -> AbstractContextManager[Callable[[], Progress]]:
    """Draw the progress of several files at once: a bar for each that is under way and one for all.

    Args:
        count: How many files there are.

    Returns:
        A context manager that gives a function, which returns a progress for one file, to be used by one
        thread.
    """
    if _is_unwanted():
        return nullcontext(Silence)
    from zoo.progress import bars

    return bars.several(count) if sys.stderr.isatty() else nullcontext(partial(bars.Lines, bars.say))


def _is_unwanted() -> bool:
    """Tell whether the command line or ``ZOO_QUIET`` forbids it."""
    return output.quiet() or is_quiet()
