"""Printing: results to standard output, everything else to standard error. ``rich`` is used here alone.

What nobody looks at needs no colours and no line breaks, so that a table into a pipe is aligned without it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from converters.errors import ConversionWarning
from converters.limits import printable

if TYPE_CHECKING:
    from rich.console import Console


def print_json(value: object) -> None:
    """Print a result as JSON on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_line(text: str) -> None:
    """Print one line of a result on standard output, as it is."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """Print one line for the person, not the script, on standard error."""
    sys.stderr.write(f"{printable(text)}\n")


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Print what a conversion had to take for granted as a line like any other; each such line once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", ConversionWarning)
        show = warnings.showwarning

        def told(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:  # noqa: ANN401
            if issubclass(category, ConversionWarning):
                note(f"zoo: {message}")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = told
        yield


@contextmanager
def unwarned() -> Iterator[None]:
    """Leave out those warnings, for whoever prints a plan's notes itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)
        yield


def console() -> Console:
    """Return a console on standard output that shortens nothing unless a person is looking."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table on standard output.

    Args:
        columns: Headings; one that ends in ``>`` is right-aligned.
        rows: One text per column. Markup in them is printed, not obeyed.
    """
    headings = list(columns)
    cells = [[printable(cell) for cell in row] for row in rows]
    if _is_looked_at() or not _is_plain([headings, *cells]):
        _print_styled(headings, cells)
        return
    for row in [[heading.removesuffix(">") for heading in headings], *cells]:
        print_line(_aligned(row, headings, _widths(headings, cells)))


def _is_looked_at() -> bool:
    return sys.stdout.isatty() or any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def _is_plain(rows: Iterable[Iterable[str]]) -> bool:
    """Tell whether each character of a table takes one column, and none is a blank at an edge."""
    return all(cell.isascii() and cell.isprintable() and cell == cell.strip() for row in rows for cell in row)


def _widths(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    own = (len(heading.removesuffix(">")) for heading in headings)
    return [max([width, *(len(row[place]) for row in cells)]) for place, width in enumerate(own)]


def _aligned(row: Sequence[str], headings: Sequence[str], widths: Sequence[int]) -> str:
    sides = (">" if heading.endswith(">") else "<" for heading in headings)
    return "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))


def _print_styled(headings: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        side: Literal["left", "right"] = "right" if heading.endswith(">") else "left"
        table.add_column(Text(heading.removesuffix(">")), justify=side)
    for row in cells:
        table.add_row(*map(Text, row))
    console().print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values in two columns on standard output; a value may have several lines."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        for label, line in zip_longest([name], str(value).split("\n"), fillvalue=""):
            print_line(f"{label:<{width}}  {line}")


def megabytes(count: int | None) -> str:
    """Return a size for reading: ``117.8 MB``, or ``unknown``."""
    return "unknown" if count is None else f"{count / 1e6:,.1f} MB"
