"""JSON as every command prints it: whole, or put together from items that were written before."""

from __future__ import annotations

import json
from collections.abc import Iterable

_START, _END = "[\n", "\n]"


def document(value: object) -> str:
    """Return a value as JSON for people and scripts: indented, and in the letters that it has."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def item(value: object) -> str:
    """Return a value as it stands in the document of a list."""
    return document([value]).removeprefix(_START).removesuffix(_END)


def put_together(items: Iterable[str]) -> str:
    """Return the document of a list whose items were written already."""
    written = ",\n".join(items)
    return f"{_START}{written}{_END}" if written else document([])
