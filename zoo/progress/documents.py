"""JSON as every command prints it: whole, or put together from items that were written before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

Pieces = Iterable[bytes | memoryview]
"""A document in pieces: to join those of ten thousand networks takes as long as to write them."""

_START, _BETWEEN, _END = b"[\n", b",\n", b"\n]"


def document(value: object) -> bytes:
    """Return a value as JSON for people and scripts: indented, in the letters that it has, as UTF-8.

    Half of a letter, which UTF-8 cannot say, is written as JSON escapes it.
    """
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def item(value: object) -> bytes:
    """Return a value as it stands in the document of a list."""
    return document([value]).removeprefix(_START).removesuffix(_END)


def put_together(items: Pieces) -> Iterator[bytes | memoryview]:
    """Yield the document of a list whose items were written already."""
    before = _START
    for written in items:
        yield before
        yield written
        before = _BETWEEN
    yield document([]) if before is _START else _END
