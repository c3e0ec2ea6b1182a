"""Progress on standard error: a bar with rate and time left on a terminal, a line at the end elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.cli import output
from zoo.storage.progress import Silence

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from zoo.storage.progress import Progress


def progress() -> Progress:
    """Return what draws the progress of long steps on standard error."""
    if output.quiet():
        return Silence()
    return Bar() if sys.stderr.isatty() else Lines()


def keras_verbosity() -> int:
    """Return the same for Keras' own progress: its bar on a terminal, a line at the end elsewhere."""
    if output.quiet():
        return 0
    return 1 if sys.stderr.isatty() else 2


class Bar:
    """Draws a bar while a step lasts."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None

    def start(self, total: int | None, what: str) -> None:
        """Draw an empty bar for ``total`` bytes, or one that only counts where the total is unknown."""
        self._bar = _bars()
        self._bar.add_task(what, total=total or None)
        self._bar.start()

    def advance(self, count: int) -> None:
        """Move the bar on by so many bytes."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0], count)

    def done(self) -> None:
        """Leave the bar as it is."""
        if self._bar:
            self._bar.stop()
            self._bar = None


class Lines:
    """Says when a step is over, how much it was and how fast: for logs and pipes.

    A step of no bytes is a wait, and is told when it begins. A step that broke off is not told: whoever broke
    it says why.

    Args:
        say: Prints one line.
    """

    def __init__(self, say: Callable[[str], None] = output.note) -> None:
        self._say = say
        self._what, self._count, self._since = "", 0, 0.0
        self._total: int | None = None

    def start(self, total: int | None, what: str) -> None:
        """Remember what begins."""
        self._what, self._count, self._since = what, 0, time.monotonic()
        self._total = total
        if total == 0:
            self._say(what)

    def advance(self, count: int) -> None:
        """Count so many bytes more."""
        self._count += count

    def done(self) -> None:
        """Print one line, if the step came to its end."""
        if not self._count or (self._total is not None and self._count < self._total):
            return
        seconds = max(time.monotonic() - self._since, 1e-9)
        rate = output.megabytes(round(self._count / seconds))
        self._say(f"{self._what}: {output.megabytes(self._count)} in {seconds:.1f} s, {rate}/s")


@contextmanager
def several(count: int) -> Iterator[Callable[[], Progress]]:
    """Draw the progress of several files at once: a bar for each that is under way and one for all.

    Args:
        count: How many files there are.

    Yields:
        A function that returns a progress for one file, to be used by one thread.
    """
    if output.quiet() or not sys.stderr.isatty():
        yield Silence if output.quiet() else Lines
        return
    bars = _bars()
    with bars:
        overall = Overall(bars, count)
        yield overall.one


class Overall:
    """The bar for all files, and the place above the bars where finished steps are told.

    Args:
        bars: What draws.
        count: How many files there are.
    """

    def __init__(self, bars: RichProgress, count: int) -> None:
        self._bars = bars
        self._task = bars.add_task(f"{count} files", total=None)
        self._total = 0

    def one(self) -> Progress:
        """Return the progress of one file."""
        return _OneOfSeveral(self._bars, self)

    def expect(self, count: int) -> None:
        """Count on so many bytes more in all."""
        self._total += count
        self._bars.update(self._task, total=self._total)

    def advance(self, count: int) -> None:
        """Move on by so many bytes."""
        self._bars.advance(self._task, count)


class _OneOfSeveral:
    """One file's bar, there while a step lasts; a finished step is a line above the bars."""

    def __init__(self, bars: RichProgress, overall: Overall) -> None:
        self._bars, self._overall = bars, overall
        self._lines = Lines(bars.console.print)
        self._task: TaskID | None = None

    def start(self, total: int | None, what: str) -> None:
        self._lines.start(total, what)
        self._overall.expect(total or 0)
        self._task = self._bars.add_task(what, total=total or None)

    def advance(self, count: int) -> None:
        self._lines.advance(count)
        self._overall.advance(count)
        if self._task is not None:
            self._bars.advance(self._task, count)

    def done(self) -> None:
        self._lines.done()
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def _bars() -> RichProgress:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False, markup=False),
    )


class BytesDone:
    """Draws the progress of something that tells how many bytes are done so far, and of how many.

    As a context manager it gives the function to be told.
    """

    def __init__(self, bar: Progress, what: str) -> None:
        """Draw nothing yet.

        Args:
            bar: What draws.
            what: What is being done, for example ``converting old.h5``.
        """
        self._bar, self._what = bar, what
        self._done: int | None = None

    def __enter__(self) -> Callable[[int, int], None]:
        """Return the function to be told the bytes done and the bytes in all."""
        return self._advance

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        if self._done is not None:
            self._bar.done()

    def _advance(self, done: int, total: int) -> None:
        if self._done is None:
            self._bar.start(total, self._what)
        self._bar.advance(done - (self._done or 0))
        self._done = done
