"""Progress on standard error: a bar with rate and time left on a terminal, a line at the end elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.cli import output

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from zoo.download.progress import Progress


def progress() -> Progress:
    """Return what draws the progress of long steps on standard error."""
    return Bar() if sys.stderr.isatty() else Lines()


class Bar:
    """Draws a bar while a step lasts."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None

    def start(self, total: int | None, what: str) -> None:
        """Draw an empty bar for ``total`` bytes, or one that only counts where the total is unknown."""
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bar.add_task(what, total=total)
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
    """Says when a step is over, how much it was and how fast: for logs and pipes."""

    def __init__(self) -> None:
        self._what, self._count, self._since = "", 0, 0.0

    def start(self, total: int | None, what: str) -> None:
        """Remember what begins."""
        self._what, self._count, self._since = what, 0, time.monotonic()

    def advance(self, count: int) -> None:
        """Count so many bytes more."""
        self._count += count

    def done(self) -> None:
        """Print one line."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        rate = output.megabytes(round(self._count / seconds))
        output.note(f"{self._what}: {output.megabytes(self._count)} in {seconds:.1f} s, {rate}/s")


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
