"""Drawing: a bar with rate and time left where somebody looks, a line at the end elsewhere.

``rich`` is imported when a bar is drawn. While a step lasts its name may be shortened in the bar; the line
that tells its end has it whole.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from converters.errors import counted
from converters.limits import printable
from zoo.progress.colours import colours
from zoo.progress.protocol import Count, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, Task, TaskID
    from rich.text import Text

_ROOMY = 80  # columns, from which on there is room for the rate
_BAR = 10  # columns that the bar itself has at least
_AMOUNT, _RATE, _LEFT = 16, 10, 7  # the widest that the other columns become: "123.4/567.8 MB"
_LEAST = 8  # columns of a name
_STEM = 2 / 3  # of a shortened name: the share in front of the dots


def say(text: str) -> None:
    """Print one line on standard error, if there is one."""
    if sys.stderr is not None:  # as where a program has no console
        sys.stderr.write(f"{printable(text)}\n")


def megabytes(count: int | None) -> str:
    """Return a size for reading: ``117.8 MB``, or ``unknown``."""
    return "unknown" if count is None else f"{count / 1e6:,.1f} MB"


def shortened(text: str, width: int) -> str:
    """Return a text that takes so many columns at most, what is left out being of its middle."""
    if len(text) <= width:
        return text
    front = round((width - 1) * _STEM)
    return f"{text[:front]}…{text[len(text) - (width - 1 - front) :]}"


class Bar:
    """Draws a bar while a step lasts, and a line when it is over."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._lines = Lines(self._say)

    def start(self, total: int | None, what: str) -> None:
        """Draw an empty bar for ``total`` bytes, or one that only counts where the total is unknown."""
        if self._bar:  # of a step that is not over: nobody would end it any more
            self._bar.stop()
        self._bar = _bars(total)
        self._bar.add_task(what, total=total or None)
        self._bar.start()
        self._lines.start(total, what)

    def advance(self, count: int) -> None:
        """Move the bar on by so many bytes."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0], count)
            self._lines.advance(count)

    def done(self) -> None:
        """Replace the bar by a line, if the step came to its end."""
        if self._bar:
            self._bar.stop()
            self._lines.done()
            self._bar = None

    def _say(self, text: str) -> None:
        if self._bar is not None:
            _print(self._bar.console, text)


class Lines:
    """Says when a step is over, how much it was and how fast: for logs and pipes.

    A step of no bytes is a wait, and is told when it begins. A step that broke off is not told: whoever broke
    it says why.

    Args:
        say: Prints one line.
    """

    def __init__(self, say: Callable[[str], None] = say) -> None:
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
        self._say(f"{self._what}: {self._came_to(seconds)}")

    def _came_to(self, seconds: float) -> str:
        if isinstance(self._total, Count):
            return f"{self._total.in_words(self._count)} in {seconds:.1f} s"
        rate = megabytes(round(self._count / seconds))
        return f"{megabytes(self._count)} in {seconds:.1f} s, {rate}/s"


@contextmanager
def several(count: int) -> Iterator[Callable[[], Progress]]:
    """Draw the progress of several files at once: a bar for each that is under way and one for all.

    Args:
        count: How many files there are.

    Yields:
        A function that returns a progress for one file, to be used by one thread.
    """
    bars = _bars(None)
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
        self._task = bars.add_task(counted(count, "file"), total=None)
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
        self._lines = Lines(lambda text: _print(bars.console, text))
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


def _print(console: Console, text: str) -> None:
    """Print a line whole: a path or an id in it is to be pasted, so no line is broken within it."""
    console.print(printable(text), soft_wrap=True)


def _bars(total: int | None) -> RichProgress:
    """Return what draws bars that fit the console; they go away when they are done."""
    from rich import progress
    from rich.console import Console
    from rich.table import Column

    console = Console(stderr=True, highlight=False, markup=False, color_system=colours())
    whole = Column(no_wrap=True)  # the bar becomes narrower instead: a second line would be left behind
    of_count, of_bytes = progress.MofNCompleteColumn, progress.DownloadColumn
    amount = (of_count if isinstance(total, Count) else of_bytes)(table_column=whole.copy())
    with_rate = console.width >= _ROOMY and not isinstance(total, Count)
    rate: list[ProgressColumn] = [progress.TransferSpeedColumn(whole.copy())] if with_rate else []
    return progress.Progress(
        _name_column(_room(console.width, with_rate=with_rate)),
        progress.BarColumn(None if console.width < _ROOMY else 40),
        amount,
        *rate,
        progress.TimeRemainingColumn(table_column=whole.copy()),
        console=console,
        transient=True,
    )


def _room(width: int, *, with_rate: bool) -> int:
    """Return how many columns are left for names."""
    others = [_BAR, _AMOUNT, _LEFT, *([_RATE] if with_rate else [])]
    return max(_LEAST, width - sum(others) - len(others))


def _name_column(width: int) -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.table import Column
    from rich.text import Text

    class Name(ProgressColumn):
        """What is being done, in as many columns as there are."""

        def render(self, task: Task) -> Text:
            return Text(shortened(printable(task.description), width), no_wrap=True)

    return Name(table_column=Column(no_wrap=True))
