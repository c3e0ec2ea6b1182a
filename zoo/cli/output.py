"""Printing: results to standard output, everything else to standard error. ``rich`` is used here alone.

What nobody looks at needs no colours and no line breaks, so that a table into a pipe is aligned without it.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import zip_longest
from shutil import get_terminal_size
from typing import Any, BinaryIO, Literal, TextIO, TypeVar

from converters.errors import ConversionWarning
from converters.limits import printable
from zoo.cli.tables import GAP, blocks, natural, title, widths
from zoo.progress import bars
from zoo.progress.colours import colours
from zoo.progress.documents import Pieces, document


class Verbosity(IntEnum):
    """How much the user wants to be told besides results and errors."""

    QUIET = 0
    """Nothing: no progress, no notes."""
    USUAL = 1
    VERBOSE = 2
    """Also what was asked of whom, what was chosen and why, how long it took."""


@dataclass
class Telling:
    """How one run of a command tells what it does.

    Attributes:
        verbosity: How much.
        out: Where its results go.
        documents: The JSON document, which waits here until the command has ended: if it fails after all,
            its error is printed instead.
        err: Where notes and errors go; ``None`` for standard error, whatever that is.
        until_the_end: What was entered and is to be left when the command ends.
    """

    verbosity: Verbosity
    out: TextIO
    documents: list[Pieces] = field(default_factory=list)
    err: TextIO | None = None
    until_the_end: ExitStack = field(default_factory=ExitStack)


_Entered = TypeVar("_Entered")
_TELLING: ContextVar[Telling | None] = ContextVar("telling", default=None)


class Unheard(BaseException):
    """Whoever read the results has gone, as in ``zoo list | head``."""


@contextmanager
def telling(verbosity: Verbosity) -> Iterator[Telling]:
    """Let everything within tell as much as is said, and keep standard output for results.

    What anything but this module prints there, a class of the user's or Keras, goes to standard error.
    What the library logs becomes notes.
    """
    told = Telling(verbosity, sys.stdout)
    before = _TELLING.set(told)
    try:
        with redirect_stdout(sys.stderr), _logs_as_notes(told), _warnings_as_notes():
            yield told
    finally:
        _TELLING.reset(before)


@contextmanager
def until_the_end(context: AbstractContextManager[_Entered]) -> Iterator[_Entered]:
    """Enter something that is left when the command ends; at the end of the block if none is running."""
    told = _TELLING.get()
    if told is not None:
        yield told.until_the_end.enter_context(context)
    else:
        with context as entered:
            yield entered


@contextmanager
def seen_on(stream: TextIO) -> Iterator[None]:
    """Print notes and errors on a stream whatever standard error is meanwhile."""
    told = _TELLING.get()
    if told is None:
        yield
        return
    before, told.err = told.err, stream
    try:
        yield
    finally:
        told.err = before


def _now() -> Telling:
    return _TELLING.get() or Telling(Verbosity.USUAL, sys.stdout)


def open_what_is_closed() -> None:
    """Put something in the place of each standard stream that was closed when the process began.

    Nobody is there to be asked, notes go nowhere, and results cannot be written, which is told as of a disk
    that is full. A file that is opened later would take their places instead.
    """
    for name, how, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, how), mode))


def quiet() -> bool:
    """Tell whether the user wants neither progress nor notes."""
    return _now().verbosity == Verbosity.QUIET


def verbose() -> bool:
    """Tell whether the user wants to know more than usual."""
    return _now().verbosity == Verbosity.VERBOSE


def out() -> TextIO:
    """Return the stream that results go to."""
    return _now().out


def print_json(value: object) -> None:
    """Print a result as JSON on standard output: when the command has ended, if one is running."""
    print_document([document(value)])


def print_document(pieces: Pieces) -> None:
    """Print what is JSON already, in the same way."""
    told = _TELLING.get()
    if told is None:
        _write_document(pieces)
    else:
        told.documents[:] = [list(pieces)]


def print_documents(told: Telling) -> None:
    """Print the JSON document that a command has left, if there is one."""
    for pieces in told.documents:
        _write_document(pieces)


def _write_document(pieces: Pieces) -> None:
    """Write UTF-8: as it is where that is what the stream writes, as a long one is slow to encode."""
    if out().encoding == "utf-8" and os.linesep == "\n" and hasattr(out(), "buffer"):
        flush()
        with _given_up_if_broken(out(), "standard output"):
            _write_pieces(out().buffer, pieces)
    else:
        _write(b"".join(pieces).decode())
    _write("\n")


def _write_pieces(stream: BinaryIO, pieces: Pieces) -> None:
    """Write many small pieces, a megabyte at a time."""
    size, waiting = 0, []
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _AT_ONCE:
            stream.write(b"".join(waiting))
            size, waiting = 0, []
    stream.write(b"".join(waiting))


_AT_ONCE = 1 << 20


def print_line(text: str) -> None:
    """Print one line of a result on standard output, as it is."""
    _write(f"{text}\n")


def _write(text: str) -> None:
    with _given_up_if_broken(out(), "standard output"):
        out().write(text)


def flush() -> None:
    """See that all results have reached whoever reads them.

    Raises:
        Unheard: There is nobody.
        OSError: They cannot be written.
    """
    with _given_up_if_broken(out(), "standard output"):
        out().flush()


@contextmanager
def _given_up_if_broken(stream: TextIO, name: str) -> Iterator[None]:
    """Forget what a stream still holds if it cannot be written: Python would try again at exit."""
    try:
        yield
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            raise Unheard from None
        raise OSError(error.errno, error.strerror, name) from None


def note(text: str) -> None:
    """Print one line for the person, not the script, on standard error; none under ``--quiet``."""
    if not quiet():
        say(text)


def detail(text: str) -> None:
    """Print one line for a person who wants to know more than usual."""
    if verbose():
        say(text)


def say(text: str) -> None:
    """Print one line on standard error whatever was asked for: an error, or what leads to a question.

    Where nobody reads it any more the work goes on: its results are elsewhere.
    """
    stream = _now().err or sys.stderr
    with suppress(Unheard), _given_up_if_broken(stream, "standard error"):
        stream.write(f"{printable(text)}\n")


def error_object(error: BaseException) -> dict[str, Any]:
    """Return what JSON says of an error: its type, its message, and the file of an error of the system."""
    found: dict[str, Any] = {"type": type(error).__name__, "message": message_of(error)}
    if isinstance(error, OSError) and error.filename is not None:
        found["file"] = os.fsdecode(error.filename)
    return found


def failure(name: str, error: BaseException) -> dict[str, Any]:
    """Return the entry, in a list of several things that were asked for, of one that failed."""
    return {"name": name, "error": error_object(error)}


def message_of(error: BaseException) -> str:
    """Return one sentence on an error, without its type."""
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) or type(error).__name__


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Print what a conversion had to take for granted as a line like any other; each such line once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", ConversionWarning)
        show = warnings.showwarning
        heard: set[str] = set()  # Python tells a warning again where it comes from another line

        def told(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:  # noqa: ANN401
            if not issubclass(category, ConversionWarning):
                show(message, category, *place, **more)
            elif (text := f"zoo: {getattr(message, 'typed', message)}") not in heard:
                heard.add(text)
                note(text)

        warnings.showwarning = told
        yield


_LOGGED = {
    Verbosity.QUIET: logging.ERROR,
    Verbosity.USUAL: logging.WARNING,
    Verbosity.VERBOSE: logging.DEBUG,
}


class _Notes(logging.Handler):
    """Prints what the library logs, from whatever thread, as one command wants to be told it.

    Args:
        told: How that is.
    """

    def __init__(self, told: Telling) -> None:
        super().__init__(_LOGGED[told.verbosity])

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        say(f"zoo: {record.getMessage()}")


@contextmanager
def _logs_as_notes(told: Telling) -> Iterator[None]:
    handler = _Notes(told)
    loggers = [logging.getLogger(name) for name in ("zoo", "converters")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(min(handler.level, logging.WARNING))
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


@contextmanager
def unwarned() -> Iterator[None]:
    """Leave out those warnings, for whoever prints a plan's notes itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)
        yield


def width() -> int | None:
    """Return how many columns there are for results; ``None`` where they go to no terminal."""
    return get_terminal_size().columns if out().isatty() else None


def print_table(
    columns: Iterable[str], rows: Iterable[Iterable[str]], *, whole: Collection[str] = ()
) -> None:
    """Print a table on standard output; on a terminal it is made to fit, see :mod:`zoo.cli.tables`.

    Args:
        columns: Headings; one that ends in ``>`` is right-aligned.
        rows: One text per column. Markup in them is printed, not obeyed.
        whole: Headings of columns whose cells stay on one line, as they may be pasted: paths.
    """
    headings = list(columns)
    cells = [[printable(cell) for cell in row] for row in rows]
    room = width()
    if room is None and not _is_styled() and _is_plain([headings, *cells]):
        own = natural(headings, cells)
        for row in [list(map(title, headings)), *cells]:
            print_line(_aligned(row, headings, own))
        return
    fitting = widths(headings, cells, whole, room or _WITHOUT_END)
    if fitting is None:
        for line in blocks(headings, cells, whole, room or _WITHOUT_END):
            print_line(line)
    else:
        _print_styled(headings, cells, fitting)


_WITHOUT_END = 10_000


def _is_styled() -> bool:
    """Tell whether colours are asked for where there is no terminal."""
    return any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def _is_plain(rows: Iterable[Iterable[str]]) -> bool:
    """Tell whether each character of a table takes one column, and none is a blank at an edge."""
    return all(cell.isascii() and cell.isprintable() and cell == cell.strip() for row in rows for cell in row)


def _aligned(row: Sequence[str], headings: Sequence[str], widths: Sequence[int]) -> str:
    sides = (">" if heading.endswith(">") else "<" for heading in headings)
    padded = (f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
    return "  ".join(padded).rstrip()


def _print_styled(headings: Sequence[str], cells: Iterable[Sequence[str]], fitting: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for heading, wide in zip(headings, fitting, strict=True):
        side: Literal["left", "right"] = "right" if heading.endswith(">") else "left"
        table.add_column(Text(title(heading)), justify=side, width=wide)
    for row in cells:
        table.add_row(*map(Text, row))
    wide = sum(fitting) + GAP * len(fitting)
    screen = Console(file=out(), width=wide, highlight=False, color_system=colours())
    with screen.capture() as drawn:
        screen.print(table)
    _write("".join(f"{line.rstrip(' ')}\n" for line in drawn.get().splitlines()))


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values in two columns on standard output; a value may have several lines."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        for label, line in zip_longest([name], str(value).split("\n"), fillvalue=""):
            print_line(f"{label:<{width}}  {line}" if line else label)


def megabytes(count: int | None) -> str:
    """Return a size for reading: ``117.8 MB``, or ``unknown``."""
    return bars.megabytes(count)
