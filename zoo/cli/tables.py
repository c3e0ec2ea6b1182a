"""How a table is laid out where it may be wider than the terminal.

Text is wrapped between its words; no word is ever cut, nor a cell that is to be pasted. A table that cannot
be made so narrow becomes one block of lines for each of its rows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence

GAP = 2
"""Columns of the terminal between two of the table."""

_NARROW = 16
"""How narrow text becomes at most, even if all of its words are shorter."""


def title(heading: str) -> str:
    """Return what stands above a column: ``>`` at its end only says that it is right-aligned."""
    return heading.removesuffix(">")


def natural(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is by itself, of texts each character of which takes one column.

    Args:
        headings: As for :func:`zoo.cli.output.print_table`.
        rows: One text per column, each.
    """
    own = (len(title(heading)) for heading in headings)
    return [max([width, *(len(row[place]) for row in rows)]) for place, width in enumerate(own)]


def widths(
    headings: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[str], room: int
) -> list[int] | None:
    """Return how wide each column is to be so that all fit; ``None`` if they cannot.

    Args:
        headings: As for :func:`zoo.cli.output.print_table`.
        rows: One text per column, each.
        whole: Titles of the columns whose cells are not wrapped.
        room: Columns that the terminal has.
    """
    room -= GAP * (len(headings) - 1)
    columns = [[title(heading), *cells] for heading, *cells in zip(headings, *rows, strict=True)]
    found = [max(map(length, cells)) for cells in columns]
    least = [
        _least(cells, whole=heading.endswith(">") or title(heading) in whole)
        for heading, cells in zip(headings, columns, strict=True)
    ]
    if sum(least) > room:
        return None
    while sum(found) > room:
        spare = [wide if wide > low else 0 for wide, low in zip(found, least, strict=True)]
        found[spare.index(max(spare))] -= 1
    return found


def _least(column: Sequence[str], *, whole: bool) -> int:
    heading, *cells = column
    parts = [*heading.split(), *(cells if whole else [word for cell in cells for word in cell.split()])]
    readable = 0 if whole else min(_NARROW, max(map(length, column)))
    return max([readable, *map(length, parts)])


def length(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def blocks(
    headings: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[str], room: int
) -> Iterator[str]:
    """Yield the lines of a table whose rows stand below each other, each as names and values.

    Args:
        headings: As for :func:`widths`.
        rows: As for :func:`widths`.
        whole: As for :func:`widths`.
        room: As for :func:`widths`.
    """
    label = max(length(title(heading)) for heading in headings) + GAP
    for place, row in enumerate(rows):
        if place:
            yield ""
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                lines = [cell] if title(heading) in whole else wrapped(cell, room - label)
                yield f"{title(heading):<{label}}{lines[0]}"
                yield from (" " * label + line for line in lines[1:])


def wrapped(text: str, room: int) -> list[str]:
    """Return the lines of a text, none of whose words is cut.

    Args:
        text: The text.
        room: Columns that there are for a line; more are taken where a word is longer.
    """
    return textwrap.wrap(text, max(room, _NARROW), break_long_words=False, break_on_hyphens=False) or [text]
