"""Printing: results to standard output, everything else to standard error. ``rich`` is used here alone."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

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
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column.removesuffix(">")), justify="right" if column.endswith(">") else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
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
