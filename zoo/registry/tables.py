"""Small tables in HTML, as notebooks show what a call returned.

Nothing is loaded from elsewhere and no colour is set, so that they are read on light and on dark pages alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LEFT = ' style="text-align: left"'


def facts_table(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """Return names and values in two columns; all that is in them is text.

    Args:
        title: Stands above.
        facts: Names and values; a value may have several lines.
    """
    rows = (
        f"<tr><th{_LEFT}>{escape(name)}</th><td{_LEFT}>{_lines(value)}</td></tr>" for name, value in facts
    )
    return f"<table><caption{_LEFT}>{escape(title)}</caption><tbody>{''.join(rows)}</tbody></table>"


def rows_table(
    headings: Sequence[str], rows: Iterable[Iterable[object]], *, below: Iterable[str] = ()
) -> str:
    """Return a table with a heading for each column; all that is in it is text.

    Args:
        headings: Of the columns.
        rows: A value for each column, each.
        below: Lines that stand below the table.
    """
    head = "".join(f"<th{_LEFT}>{escape(heading)}</th>" for heading in headings)
    cells = ("".join(f"<td{_LEFT}>{_lines(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    lines = "".join(f"<p{_LEFT}>{escape(line)}</p>" for line in below)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{lines}"


def _lines(value: object) -> str:
    return "<br>".join(escape(line) for line in str(value).split("\n"))
