"""Pages of which a program writes a part."""

from __future__ import annotations


def with_part(text: str, begin: str, end: str, part: str) -> str:
    """Return a page with something else between two lines that mark its place."""
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{part}{end}{after}"
