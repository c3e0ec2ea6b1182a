"""JSON as every command prints it: whole, or put together from items that were written before."""

from __future__ import annotations

import json
from collections.abc import Iterable

_START, _END = b"[\n", b"\n]"


def document(value: object) -> bytes:
    """Return a value as JSON for people and scripts: indented, in the letters that it has, as UTF-8.

    Half of a letter, which UTF-8 cannot say, is written as JSON escapes it.
    """
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def item(value: object) -> bytes:
    """Return a value as it stands in the document of a list."""
    return document([value]).removeprefix(_START).removesuffix(_END)


def put_together(items: Iterable[bytes | memoryview]) -> bytes:
    """Return the document of a list whose items were written already."""
    written = list(items)
    if not written:
        return document([])
    written[0] = b"".join([_START, written[0]])
    written[-1] = b"".join([written[-1], _END])
    return b",\n".join(written)
